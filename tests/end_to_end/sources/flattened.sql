-- The source tables of the flattened profile, as far as the ledger reads them and a little more. In a
-- deployment they are in three databases, which three connectors cannot tell from one.

CREATE TABLE public.user_accounts (
    user_id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_sequence varchar(20) NOT NULL UNIQUE,
    phone_number     varchar(20) NOT NULL,
    status           varchar(20) NOT NULL,
    registered_at    timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE public.referral_relationships (
    relationship_id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_sequence          varchar(20) NOT NULL UNIQUE,
    referrer_account_sequence varchar(20),
    ancestor_path             text,
    depth                     int NOT NULL
);

CREATE TABLE public.planting_orders (
    id                    bigint PRIMARY KEY,
    account_sequence      varchar(20) NOT NULL,
    tree_count            int NOT NULL,
    contribution_per_tree numeric(20, 10) NOT NULL,
    adoption_date         date NOT NULL,
    status                varchar(20) NOT NULL,
    selected_province     varchar(10),
    selected_city         varchar(10),
    created_at            timestamptz NOT NULL DEFAULT now()
);

CREATE PUBLICATION contribution_identity FOR TABLE public.user_accounts;
CREATE PUBLICATION contribution_referral FOR TABLE public.referral_relationships;
CREATE PUBLICATION contribution_planting FOR TABLE public.planting_orders;

-- The same tables by the names of the guide's profile, so that the workload need not know which it is.

CREATE SCHEMA rwa_identity;
CREATE SCHEMA rwa_planting;
CREATE SCHEMA rwa_referral;

CREATE VIEW rwa_identity.users AS
SELECT account_sequence, phone_number AS phone, status FROM public.user_accounts;

CREATE VIEW rwa_referral.referral_relations AS
SELECT account_sequence, referrer_account_sequence, ancestor_path, depth FROM public.referral_relationships;

CREATE VIEW rwa_planting.planting_orders AS
SELECT id AS order_id, account_sequence, tree_count, contribution_per_tree, adoption_date, status,
       selected_province, selected_city, created_at
FROM public.planting_orders;
