//! The functions together: captures, cases and random histories through them, and what deploys them.

mod alarms;
mod captures;
mod cases;
mod crashes;
mod events;
mod faults_listed;
mod histories;
mod large_network;
mod late_orders;
mod logging;
mod roles;
mod template;
