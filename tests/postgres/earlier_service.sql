-- The tables of the service that ran before, as far as `compare` reads them, by the names and types of its guide.

CREATE TABLE synced_adoptions (
    id                        uuid PRIMARY KEY,
    original_adoption_id      uuid NOT NULL UNIQUE,
    account_sequence          varchar(20) NOT NULL,
    tree_count                int NOT NULL,
    adoption_date             date NOT NULL,
    status                    varchar(20),
    contribution_per_tree     decimal(20, 10) NOT NULL,
    contribution_distributed  boolean DEFAULT false
);

CREATE TABLE contribution_accounts (
    id                            uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    account_sequence              varchar(20) NOT NULL UNIQUE,
    personal_contribution         decimal(30, 10) DEFAULT 0,
    team_level_contribution       decimal(30, 10) DEFAULT 0,
    team_bonus_contribution       decimal(30, 10) DEFAULT 0,
    total_contribution            decimal(30, 10) DEFAULT 0,
    has_adopted                   boolean DEFAULT false,
    direct_referral_adopted_count int DEFAULT 0,
    unlocked_level_depth          int DEFAULT 0,
    unlocked_bonus_tiers          int DEFAULT 0
);

CREATE TABLE contribution_records (
    id                      uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    account_sequence        varchar(20) NOT NULL,
    source_type             varchar(30) NOT NULL,
    source_adoption_id      uuid NOT NULL,
    source_account_sequence varchar(20) NOT NULL,
    tree_count              int NOT NULL,
    base_contribution       decimal(20, 10) NOT NULL,
    distribution_rate       decimal(10, 6) NOT NULL,
    level_depth             int,
    bonus_tier              int,
    amount                  decimal(30, 10) NOT NULL,
    effective_date          date NOT NULL,
    expire_date             date NOT NULL,
    created_at              timestamptz NOT NULL
);

CREATE TABLE unallocated_contributions (
    id                        uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    source_adoption_id        uuid NOT NULL,
    source_account_sequence   varchar(20) NOT NULL,
    unalloc_type              varchar(30) NOT NULL,
    would_be_account_sequence varchar(20),
    level_depth               int,
    amount                    decimal(30, 10) NOT NULL,
    effective_date            date NOT NULL,
    expire_date               date NOT NULL,
    created_at                timestamptz NOT NULL
);

CREATE TABLE system_accounts (
    id           uuid PRIMARY KEY,
    account_type varchar(20) NOT NULL UNIQUE,
    name         varchar(100) NOT NULL
);

CREATE TABLE system_contribution_records (
    id                      uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    system_account_id       uuid NOT NULL REFERENCES system_accounts (id),
    source_adoption_id      uuid NOT NULL,
    source_account_sequence varchar(20) NOT NULL,
    distribution_rate       decimal(10, 6) NOT NULL,
    amount                  decimal(30, 10) NOT NULL,
    effective_date          date NOT NULL,
    expire_date             date,
    created_at              timestamptz NOT NULL
);

CREATE TABLE daily_contribution_snapshots (
    id                         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    snapshot_date              date NOT NULL,
    account_sequence           varchar(20) NOT NULL,
    effective_contribution     decimal(30, 10) NOT NULL,
    network_total_contribution decimal(30, 10) NOT NULL,
    contribution_ratio         decimal(30, 18) NOT NULL,
    UNIQUE (snapshot_date, account_sequence)
);
