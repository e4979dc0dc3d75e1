-- The source tables of the guide profile, as far as the ledger reads them and a little more.

CREATE SCHEMA rwa_identity;
CREATE SCHEMA rwa_planting;
CREATE SCHEMA rwa_referral;

CREATE TABLE rwa_identity.users (
    id               uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    account_sequence varchar(20) NOT NULL UNIQUE,
    phone            varchar(20) NOT NULL,
    status           varchar(20) NOT NULL,
    created_at       timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE rwa_referral.referral_relations (
    id                        uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    account_sequence          varchar(20) NOT NULL UNIQUE,
    referrer_account_sequence varchar(20),
    ancestor_path             text,
    depth                     int NOT NULL,
    created_at                timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE rwa_planting.planting_orders (
    order_id              bigint PRIMARY KEY,
    adoption_id           uuid NOT NULL DEFAULT gen_random_uuid(),
    account_sequence      varchar(20) NOT NULL,
    tree_count            int NOT NULL,
    contribution_per_tree numeric(20, 10) NOT NULL,
    adoption_date         date NOT NULL,
    status                varchar(20) NOT NULL,
    selected_province     varchar(10),
    selected_city         varchar(10),
    created_at            timestamptz NOT NULL DEFAULT now()
);
