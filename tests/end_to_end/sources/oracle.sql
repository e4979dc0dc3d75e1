-- The source's rows as the oracle reads them: one flattened snapshot record per row.
CREATE VIEW public.oracle_rows AS
SELECT 'source.users' AS topic, account_sequence AS key,
       json_build_object('account_sequence', account_sequence) AS row
FROM rwa_identity.users
UNION ALL
SELECT 'source.referral_relations', account_sequence,
       json_build_object('account_sequence', account_sequence,
                         'referrer_account_sequence', referrer_account_sequence)
FROM rwa_referral.referral_relations
UNION ALL
SELECT 'source.planting_orders', order_id::text,
       json_build_object('order_id', order_id,
                         'account_sequence', account_sequence,
                         'tree_count', tree_count,
                         'contribution_per_tree', contribution_per_tree::text,
                         'adoption_date', adoption_date - date '1970-01-01',
                         'status', status,
                         'selected_province', selected_province,
                         'selected_city', selected_city)
FROM rwa_planting.planting_orders;
