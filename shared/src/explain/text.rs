//! Explanations as a person reads them.

use std::fmt;

use super::account::{AccountExplanation, Relation};
use super::adoption::{
    AdoptionExplanation, AncestorExplanation, EntryExplanation, LegExplanation, LegReason, Requirement,
    Standing,
};
use crate::rules::{Owner, Recipient, Unallocated};

impl fmt::Display for AdoptionExplanation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "order {}: ", self.order)?;
        match (&self.account, self.tree_count, self.adoption_date) {
            (Some(account), Some(trees), Some(date)) => {
                let trees = counted(trees.get(), "tree");
                write!(formatter, "{account} adopted {trees} on {date}")?;
            }
            _ => write!(formatter, "nothing is known but its deletion")?,
        }
        if let Some(price) = self.contribution_per_tree {
            write!(formatter, " at {price} each")?;
        }
        if let Some(status) = &self.status {
            write!(formatter, ", status {status}")?;
        }
        writeln!(formatter)?;
        writeln!(formatter, "{}", self.standing)?;
        if let (Standing::Distributed, Some(term)) = (&self.standing, self.term) {
            let (from, to) = (term.effective_date, term.expire_date);
            writeln!(formatter, "total {}, active from {from} until {to}", self.total)?;
        }
        if !self.legs.is_empty() {
            writeln!(formatter, "legs")?;
        }
        for leg in &self.legs {
            writeln!(formatter, "  {leg}")?;
        }
        if !self.ancestors.is_empty() {
            writeln!(formatter, "ancestors as of order {}", self.order)?;
        }
        for ancestor in &self.ancestors {
            writeln!(formatter, "  {ancestor}")?;
        }
        if !self.entries.is_empty() {
            writeln!(formatter, "entries")?;
        }
        for entry in &self.entries {
            write!(formatter, "{entry}")?;
        }
        Ok(())
    }
}

impl fmt::Display for AccountExplanation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { order, account, .. } = self;
        writeln!(formatter, "order {order} and {account}: {}", self.relation)?;
        if self.standing != Standing::Distributed {
            writeln!(formatter, "{}", self.standing)?;
        }
        if let Some(ancestor) = &self.ancestor {
            writeln!(formatter, "as of order {order}: {ancestor}")?;
        }
        if self.received.is_empty() {
            writeln!(formatter, "received nothing")?;
        } else {
            writeln!(formatter, "received {}", self.total)?;
        }
        for leg in &self.received {
            writeln!(formatter, "  {leg}")?;
        }
        if !self.missed.is_empty() {
            writeln!(formatter, "did not receive")?;
        }
        for leg in &self.missed {
            writeln!(formatter, "  {leg}")?;
        }
        if !self.corrections.is_empty() {
            writeln!(formatter, "corrections")?;
        }
        for entry in &self.corrections {
            write!(formatter, "{entry}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Distributed => formatter.write_str("distributed"),
            Self::Reversed { deleted: true } => {
                formatter.write_str("reversed: the source deleted it after it was distributed")
            }
            Self::Reversed { deleted: false } => {
                formatter.write_str("reversed: after it was distributed its status stopped counting")
            }
            Self::HeldForStatus => formatter.write_str("held (STATUS): its status is not one that counts"),
            Self::HeldForReferral { missing } => {
                write!(formatter, "held (NO_REFERRAL): the referral row of {missing} has not arrived")
            }
            Self::HeldForAmount => formatter.write_str("held (AMOUNT_OVERFLOW): its total is too large"),
            Self::Staged => formatter.write_str("staged: it waits for its turn in the sequence"),
            Self::Released => formatter.write_str("released: it waits for the distribution of its tree"),
            Self::Removed => formatter.write_str("removed: the source deleted it before it was distributed"),
        }
    }
}

impl fmt::Display for Relation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Adopter => formatter.write_str("the adopter"),
            Self::Ancestor { level } => write!(formatter, "ancestor {level} of the adopter"),
            Self::BeyondLevels { level, levels } => {
                write!(
                    formatter,
                    "ancestor {level} of the adopter, beyond the {levels} levels that take part"
                )
            }
            Self::NotAnAncestor => formatter.write_str("not an ancestor of the adopter"),
            Self::ChainUnknown { missing } => {
                write!(formatter, "not known, because the referral row of {missing} has not arrived")
            }
            Self::Unknown => formatter.write_str("not known, because the adopter is not"),
        }
    }
}

impl fmt::Display for LegExplanation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_level = matches!(self.r#type.as_str(), "TEAM_LEVEL" | "LEVEL_OVERFLOW");
        let name = match self.index {
            // The tier is in the name already where the leg is unallocated.
            Some(index) if is_level || self.r#type == "TEAM_BONUS" => format!("{} {index}", self.r#type),
            _ => self.r#type.clone(),
        };
        let amount = self.amount.to_string();
        write!(formatter, "{name:<17} {amount:>20} {:<13} ", self.owner.to_string())?;
        let unit = if is_level { "level" } else { "bonus tier" };
        match &self.reason {
            LegReason::OwnAdoption => formatter.write_str("the adopter's own share")?,
            LegReason::SystemShare => match &self.owner {
                Owner::System(account) if account.to_string().contains(':') => {
                    formatter.write_str("the share of the region the adoption names")?;
                }
                _ => formatter.write_str("a fixed share")?,
            },
            LegReason::Unlocked { level, unlocked } => {
                write!(formatter, "ancestor {level} had unlocked {}", counted(u32::from(*unlocked), unit))?;
            }
            LegReason::NoAncestor { ancestors } => {
                write!(
                    formatter,
                    "NO_ANCESTOR: the adopter has {}",
                    counted(u32::from(*ancestors), "ancestor")
                )?;
            }
            LegReason::Locked { unlocked, missing } => {
                match &self.would_be {
                    Some(account) => write!(formatter, "LOCKED: {account}")?,
                    None => formatter.write_str("LOCKED: its owner")?,
                }
                write!(formatter, " had unlocked {}", counted(u32::from(*unlocked), unit))?;
                for (position, requirement) in missing.iter().enumerate() {
                    formatter.write_str(if position == 0 { "; it needed " } else { " and " })?;
                    write!(formatter, "{requirement}")?;
                }
            }
            LegReason::Rounding => formatter.write_str("what rounding left over")?,
        }
        if self.outdated {
            formatter.write_str(" (the facts known now give it to another; it is to be reassessed)")?;
        }
        Ok(())
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OwnAdoption => formatter.write_str("an adoption of its own"),
            Self::DirectAdopters { needed, found } => {
                let needed = counted(*needed, "direct adopter");
                match found {
                    0 => write!(formatter, "{needed} where it had none"),
                    _ => write!(formatter, "{needed} where it had {found}"),
                }
            }
        }
    }
}

impl fmt::Display for AncestorExplanation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { level, account, unlock, first_order, direct_adopters } = self;
        let levels = counted(u32::from(unlock.level_depth), "level");
        let tiers = counted(u32::from(unlock.bonus_tiers), "bonus tier");
        write!(formatter, "ancestor {level} {account}: {levels} and {tiers} unlocked; ")?;
        match first_order {
            Some(order) => write!(formatter, "first adopted with order {order}")?,
            None => formatter.write_str("had not adopted")?,
        }
        write!(formatter, "; {}", counted(unlock.direct_adopters, "direct adopter"))?;
        for (position, adopter) in direct_adopters.iter().enumerate() {
            formatter.write_str(if position == 0 { ": " } else { ", " })?;
            match &adopter.account {
                Some(account) => write!(formatter, "{account} with order {}", adopter.order)?,
                None => write!(formatter, "order {}", adopter.order)?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for EntryExplanation {
    /// Whole lines, indented.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, cause, cause_order, cause_account, sum, moves, .. } = self;
        write!(formatter, "  entry {number}: {cause} of {sum}")?;
        if let (Some(order), Some(account)) = (cause_order, cause_account) {
            write!(formatter, ", because order {order} changed what {account} had unlocked")?;
        }
        writeln!(formatter)?;
        for moved in moves {
            let (from, to) = (holder(moved.from.as_ref()), holder(moved.to.as_ref()));
            writeln!(formatter, "    {} {} from {from} to {to}", moved.share, moved.amount)?;
        }
        Ok(())
    }
}

fn holder(recipient: Option<&Recipient>) -> String {
    match recipient {
        None => "nobody".to_owned(),
        Some(Recipient::Allocated(owner)) => owner.to_string(),
        Some(Recipient::Unallocated(Unallocated::NoAncestor)) => "HEADQUARTERS (NO_ANCESTOR)".to_owned(),
        Some(Recipient::Unallocated(Unallocated::Locked(account))) => {
            format!("HEADQUARTERS (LOCKED: {account})")
        }
    }
}

fn counted(number: u32, thing: &str) -> String {
    match number {
        1 => format!("1 {thing}"),
        0 => format!("no {thing}s"),
        _ => format!("{number} {thing}s"),
    }
}
