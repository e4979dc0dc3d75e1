-- What a team would write that keeps the ledger in PostgreSQL: one procedure takes in an adoption, by the flow of the
-- earlier service's guide, and commits. Records, accounts, system accounts and an outbox are written in it.
-- It knows no corrections, holds, closes or explanations.

CREATE TABLE referrals (account text PRIMARY KEY, referrer text);
CREATE TABLE orders (
    order_id bigint PRIMARY KEY, account text NOT NULL, trees int NOT NULL, per_tree numeric(20, 10) NOT NULL,
    adopted_on date NOT NULL
);
CREATE TABLE accounts (
    account text PRIMARY KEY, personal numeric(30, 10) NOT NULL DEFAULT 0, team_level numeric(30, 10) NOT NULL DEFAULT 0,
    team_bonus numeric(30, 10) NOT NULL DEFAULT 0, has_adopted boolean NOT NULL DEFAULT false,
    direct_adopters int NOT NULL DEFAULT 0
);
CREATE TABLE records (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, account text NOT NULL, kind text NOT NULL, order_id bigint NOT NULL,
    level int, tier int, amount numeric(30, 10) NOT NULL, effective_on date NOT NULL, expires_on date NOT NULL
);
CREATE INDEX ON records (account, id);
CREATE INDEX ON records (order_id);
CREATE TABLE unallocated (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, would_be text, kind text NOT NULL, order_id bigint NOT NULL,
    amount numeric(30, 10) NOT NULL, effective_on date NOT NULL, expires_on date NOT NULL
);
CREATE TABLE system_accounts (name text PRIMARY KEY, total numeric(30, 10) NOT NULL DEFAULT 0);
CREATE TABLE outbox (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, kind text NOT NULL, body jsonb NOT NULL);
INSERT INTO system_accounts (name) VALUES ('OPERATION'), ('PROVINCE'), ('CITY'), ('HEADQUARTERS');

CREATE FUNCTION depth_of(a accounts) RETURNS int LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN NOT a.has_adopted THEN 0 WHEN a.direct_adopters >= 5 THEN 15
                WHEN a.direct_adopters >= 3 THEN 10 WHEN a.direct_adopters >= 1 THEN 5 ELSE 0 END
$$;

CREATE FUNCTION tiers_of(a accounts) RETURNS int LANGUAGE sql IMMUTABLE AS $$
    SELECT a.has_adopted::int + (a.direct_adopters >= 2)::int + (a.direct_adopters >= 4)::int
$$;

CREATE PROCEDURE take_in(adoption orders) LANGUAGE plpgsql AS $$
DECLARE
    whole    numeric(30, 10) := adoption.trees * adoption.per_tree;
    begins   date := adoption.adopted_on + 1;
    ends     date := (adoption.adopted_on + 1) + interval '2 years';
    ancestor accounts;
    name     text;
    level    int := 1;
    is_first boolean;
    amount   numeric(30, 10);
    kept     numeric(30, 10) := 0;
BEGIN
    UPDATE accounts SET has_adopted = true WHERE account = adoption.account AND NOT has_adopted RETURNING true INTO is_first;
    SELECT referrer INTO name FROM referrals WHERE account = adoption.account;
    IF is_first AND name IS NOT NULL THEN
        UPDATE accounts SET direct_adopters = direct_adopters + 1 WHERE account = name;
    END IF;
    amount := trunc(whole * 0.70, 10);
    UPDATE accounts SET personal = personal + amount WHERE account = adoption.account;
    INSERT INTO records (account, kind, order_id, amount, effective_on, expires_on)
    VALUES (adoption.account, 'PERSONAL', adoption.order_id, amount, begins, ends);
    WHILE name IS NOT NULL AND level <= 15 LOOP
        SELECT * INTO ancestor FROM accounts WHERE account = name;
        amount := trunc(whole * 0.005, 10);
        IF depth_of(ancestor) >= level THEN
            UPDATE accounts SET team_level = team_level + amount WHERE account = name;
            INSERT INTO records (account, kind, order_id, level, amount, effective_on, expires_on)
            VALUES (name, 'TEAM_LEVEL', adoption.order_id, level, amount, begins, ends);
        ELSE
            kept := kept + amount;
            INSERT INTO unallocated (would_be, kind, order_id, amount, effective_on, expires_on)
            VALUES (name, 'LEVEL', adoption.order_id, amount, begins, ends);
        END IF;
        IF level = 1 THEN
            amount := trunc(whole * 0.025, 10);
            FOR tier IN 1..3 LOOP
                IF tiers_of(ancestor) >= tier THEN
                    UPDATE accounts SET team_bonus = team_bonus + amount WHERE account = name;
                    INSERT INTO records (account, kind, order_id, tier, amount, effective_on, expires_on)
                    VALUES (name, 'TEAM_BONUS', adoption.order_id, tier, amount, begins, ends);
                ELSE
                    kept := kept + amount;
                    INSERT INTO unallocated (would_be, kind, order_id, amount, effective_on, expires_on)
                    VALUES (name, 'BONUS', adoption.order_id, amount, begins, ends);
                END IF;
            END LOOP;
        END IF;
        SELECT referrer INTO name FROM referrals WHERE account = name;
        level := level + 1;
    END LOOP;
    UPDATE system_accounts AS s SET total = s.total + CASE s.name
        WHEN 'OPERATION' THEN trunc(whole * 0.12, 10) WHEN 'PROVINCE' THEN trunc(whole * 0.01, 10)
        WHEN 'CITY' THEN trunc(whole * 0.02, 10) ELSE kept END;
    INSERT INTO outbox (kind, body)
    VALUES ('ContributionCalculated', jsonb_build_object('order_id', adoption.order_id::text, 'total', whole::text));
    COMMIT;
END
$$;
