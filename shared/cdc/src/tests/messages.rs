//! Messages made by hand.

use chrono::{DateTime, Utc};
use domain::BusinessDate;

use super::*;

#[test]
fn an_adoption_has_every_column_the_rules_need() {
    let expected = AdoptionImage {
        order: Reading::Value(domain::OrderId::new(55).expect("an order")),
        account: Reading::Value("D25122700018".parse().expect("an account")),
        tree_count: Reading::Value(2),
        contribution_per_tree: Reading::Value("22617".parse().expect("a price")),
        adoption_date: Reading::Value(BusinessDate::new(2026, 1, 1).expect("a date")),
        status: Reading::Value("MINING_ENABLED".to_owned()),
        province: Region::Code("110000".parse().expect("a region")),
        city: Region::None,
    };
    assert_eq!(adoption(&order_row()), expected);
    assert_eq!(adoption(&envelope("c", &Value::Null, &order_row())), expected);
    assert_eq!(adoption(&envelope("u", &order_row(), &order_row())), expected);
    assert_eq!(adoption(&with(order_row(), &json!({"order_id": "55", "tree_count": "2"}))), expected);
}

#[test]
fn a_user_has_an_account_a_status_and_times() {
    let json = r#"{"tables": {"users": {"holds": "users", "columns": {"last_activity": ["seen_at"]}}}}"#;
    let profile = Profile::from_json(json).expect("a profile");
    let value = with(user_row(), &json!({"seen_at": 1_795_167_685_063_i64})).to_string();
    let change = changed(decode(&profile, record("users", None, Some(value.as_bytes()))));
    let time = |text: &str| text.parse::<DateTime<Utc>>().ok();
    let expected = UserImage {
        account: Reading::Value("D25122700001".parse().expect("an account")),
        status: Some("ACTIVE".to_owned()),
        created_at: time("2026-11-20T09:41:21.795564Z"),
        last_activity: time("2026-11-20T09:41:25.063Z"),
    };
    assert_eq!(image(&change), RowImage::User(expected));
}

#[test]
fn what_is_wrong_with_a_users_columns_holds_nothing_but_the_account() {
    let broken = json!({"created_at": "infinity", "status": true});
    let change = changed(decode_value(USERS, &with(user_row(), &broken)));
    let RowImage::User(user) = image(&change) else { panic!("a user") };
    assert_eq!(user.account.value().map(domain::AccountSequence::as_str), Some("D25122700001"));
    assert_eq!((user.created_at, user.status), (None, None));
}

#[test]
fn a_referrer_that_is_null_or_blank_makes_a_root_and_one_that_cannot_be_read_does_not() {
    let referrer = |value: &Value| match image(&changed(decode_value(REFERRALS, value))) {
        RowImage::Referral(referral) => referral.referrer,
        other => panic!("{other:?} is no referral"),
    };
    let named = |json: Value| referrer(&with(referral_row(), &json!({ "referrer_account_sequence": json })));
    assert_eq!(named(json!("D25122700006")), Referrer::Account("D25122700006".parse().expect("an account")));
    for blank in [json!(null), json!(""), json!("      ")] {
        assert_eq!(named(blank), Referrer::None);
    }
    assert!(matches!(named(json!("a b")), Referrer::Unknown(Reading::Unreadable(_))));
    let missing = referrer(&without(referral_row(), "referrer_account_sequence"));
    assert_eq!(missing, Referrer::Unknown(Reading::Missing(Column::Referrer)));
    // A referral to itself is a cycle, which the rules hold; it is a row like any other.
    let itself = named(json!("D25122700007"));
    assert_eq!(itself, Referrer::Account("D25122700007".parse().expect("an account")));
}

#[test]
fn a_column_that_cannot_be_read_is_named_and_the_row_stands() {
    for (field, value) in [
        ("tree_count", json!("many")),
        ("contribution_per_tree", json!("Infinity")),
        ("account_sequence", json!("a b")),
        ("status", json!("x".repeat(65))),
        ("adoption_date", json!("soon")),
    ] {
        let row = adoption(&with(order_row(), &json!({ field: value })));
        let why = [
            row.tree_count.why_not("p"),
            row.contribution_per_tree.why_not("p"),
            row.account.why_not("p"),
            row.status.why_not("p"),
            row.adoption_date.why_not("p"),
        ];
        let why: Vec<String> = why.into_iter().flatten().collect();
        assert_eq!(why.len(), 1, "{why:?}");
        assert!(why[0].contains(&format!("`{field}`")) && why[0].contains("profile p"), "{why:?}");
    }
}

#[test]
fn a_column_that_is_missing_says_so_with_the_name_of_the_profile() {
    let row = adoption(&without(order_row(), "tree_count"));
    assert_eq!(row.tree_count, Reading::Missing(Column::TreeCount));
    let why = row.tree_count.why_not("guide").expect("no trees");
    assert!(why.contains("`tree_count` of profile guide"), "{why}");
}

#[test]
fn a_date_that_is_null_or_absent_comes_from_created_at_and_one_that_cannot_be_read_does_not() {
    let expected = Reading::Value(BusinessDate::new(2026, 1, 1).expect("a date"));
    assert_eq!(adoption(&without(order_row(), "adoption_date")).adoption_date, expected);
    assert_eq!(adoption(&with(order_row(), &json!({"adoption_date": null}))).adoption_date, expected);
    let unreadable = adoption(&with(order_row(), &json!({"adoption_date": 2_146_033_979})));
    assert!(unreadable.adoption_date.is_unreadable());
}

#[test]
fn a_price_that_is_null_or_absent_is_none_and_one_that_is_empty_is_unreadable() {
    let price = |value: &Value| adoption(value).contribution_per_tree;
    assert!(price(&without(order_row(), "contribution_per_tree")).is_absent());
    assert!(price(&with(order_row(), &json!({"contribution_per_tree": null}))).is_absent());
    assert!(price(&with(order_row(), &json!({"contribution_per_tree": ""}))).is_unreadable());
}

#[test]
fn the_snapshot_marker_may_be_text_boolean_null_or_absent() {
    use SnapshotPhase::{Incremental, Last, LastOfCollection, Reading, Streaming, Unknown};

    for (operation, marker, phase) in [
        ("r", json!("true"), Reading),
        ("r", json!(true), Reading),
        ("r", json!("first"), Reading),
        ("r", json!("first_in_data_collection"), Reading),
        ("r", json!("last_in_data_collection"), LastOfCollection),
        ("r", json!("last"), Last),
        ("r", json!("incremental"), Incremental),
        ("r", json!(null), Reading),
        ("r", json!("a marker of tomorrow"), Reading),
        ("c", json!("false"), Streaming),
        ("c", json!(false), Streaming),
        ("u", json!(null), Streaming),
    ] {
        let mut enveloped = envelope(operation, &Value::Null, &order_row());
        enveloped["source"]["snapshot"] = marker.clone();
        assert_eq!(changed(decode_value(ORDERS, &enveloped)).snapshot, phase, "{operation} {marker}");
        let flattened = with(order_row(), &json!({"__op": operation, "__source_snapshot": marker}));
        assert_eq!(changed(decode_value(ORDERS, &flattened)).snapshot, phase, "{operation} {marker}");
    }
    assert_eq!(changed(decode_value(ORDERS, &order_row())).snapshot, Unknown);
    let without_position = with(order_row(), &json!({"__op": "r", "__lsn": null}));
    assert_eq!(changed(decode_value(ORDERS, &without_position)).snapshot, Incremental);
}

#[test]
fn any_subset_of_the_added_fields_will_do() {
    let added = [
        ("__op", json!("c")),
        ("__table", json!("planting_orders")),
        ("__lsn", json!(7)),
        ("__source_ts_ms", json!(8)),
        ("__source_sequence", json!("[\"5\",\"7\"]")),
        ("__deleted", json!("false")),
    ];
    for subset in 0..1 << added.len() {
        let chosen = added.iter().enumerate().filter(|(index, _)| subset & (1 << index) != 0);
        let fields: serde_json::Map<String, Value> =
            chosen.map(|(_, (name, value))| ((*name).to_owned(), value.clone())).collect();
        let has = |name: &str| fields.contains_key(name);
        let change = changed(decode_value(ORDERS, &with(order_row(), &Value::Object(fields.clone()))));
        assert_eq!(image(&change), RowImage::Adoption(adoption(&order_row())));
        let has_position = has("__lsn") || has("__source_sequence");
        assert_eq!(change.version.position, has_position.then_some(7));
        assert_eq!(change.version.last_commit, has("__source_sequence").then_some(5));
        assert_eq!(change.source_ts_ms(), has("__source_ts_ms").then_some(8));
    }
}

#[test]
fn a_row_is_named_by_the_message_key_in_whatever_form() {
    let value = envelope("d", &Value::Null, &Value::Null);
    let wrapped = r#"{"schema":{"type":"struct"},"payload":{"order_id":27}}"#;
    for key in [
        r#"{"order_id":27}"#,
        r#"{"schema":null,"payload":{"order_id":27}}"#,
        r#"{"payload":{"order_id":27}}"#,
        wrapped,
        "27",
        r#""27""#,
        "\u{feff}27",
    ] {
        let change = changed(decode_keyed(ORDERS, key, &value));
        assert_eq!(change.row_key.to_string(), format!("27 in {ORDERS}"), "{key}");
        assert_eq!((change.table, change.operation), (SourceTable::Adoptions, Operation::Delete));
    }
    for flags in [json!({"__deleted": "true"}), json!({"__deleted": true}), json!({"__op": "d"})] {
        let change = changed(decode_keyed(ORDERS, "27", &with(json!({"tree_count": 0}), &flags)));
        assert_eq!(change.operation, Operation::Delete, "{flags}");
    }
}

#[test]
fn where_a_row_is_named_by_its_image_an_update_of_its_key_is_the_end_of_the_row_before() {
    let numbered = |order: u64| with(order_row(), &json!({ "order_id": order }));
    let mut update = envelope("u", &numbered(11), &numbered(111));
    update["source"]["lsn"] = json!(8);
    let moved = changed(decode_value(ORDERS, &update));
    let keys: Vec<&str> = moved.row_keys().map(RowKey::primary_key).collect();
    assert_eq!(keys, ["111", "11"]);
    let before = changed(decode_value(ORDERS, &envelope("c", &Value::Null, &numbered(11))));
    let gone = fold(Some(fold(None, &before).state), &moved.in_row(&before.row_key)).state;
    assert_eq!(gone.image(), None);
    assert_eq!(image(&moved.in_row(&moved.row_key)), image(&moved));
    let stays = changed(decode_value(ORDERS, &envelope("u", &numbered(11), &numbered(11))));
    assert_eq!(stays.former_key, None);
    // A message key says which row it is, and does not change in an update.
    let keyed = changed(decode_keyed(ORDERS, r#"{"id":7}"#, &envelope("u", &numbered(11), &numbered(111))));
    assert_eq!((keyed.row_key.primary_key(), keyed.former_key), ("7", None));
}

#[test]
fn a_message_key_that_cannot_be_read_is_refused_unless_the_row_has_the_key_that_the_profile_names() {
    for key in [&b"{\"id\":"[..], b"\0\0\0\x01\x02", b"\xff"] {
        let value = order_row().to_string();
        let refused = decode(&Profile::built_in(), record(ORDERS, Some(key), Some(value.as_bytes())));
        assert_eq!(refused.expect_err("a refusal").code(), "MALFORMED_JSON", "{key:?}");
        let json = r#"{"tables": {"s.public.orders": {"holds": "adoptions", "key": ["order_id"]}}}"#;
        let profile = Profile::from_json(json).expect("a profile");
        let named = decode(&profile, record("s.public.orders", Some(key), Some(value.as_bytes())));
        assert_eq!(changed(named).row_key.primary_key(), "55", "{key:?}");
    }
}

#[test]
fn a_row_or_a_delete_of_another_table_is_refused_where_only_its_key_or_its_schema_says_so() {
    let deleted = json!({"order_id": 3, "tree_count": 0, "__deleted": "true"});
    let row = without(order_row(), "created_at");
    let of_order = r#"{"order_id":3}"#;
    for topic in [REFERRALS, USERS] {
        for value in [&deleted, &row, &json!({"op": "d", "before": deleted, "after": null})] {
            let refused = decode_keyed(topic, of_order, value).expect_err("an order's key");
            assert_eq!(refused.code(), "OTHER_KEY", "{topic} {value}");
        }
    }
    let of_other = |name: &str| json!({"type": "struct", "name": format!("{ORDERS}.{name}"), "fields": []});
    let flag = json!({"id": 3, "__deleted": "true"});
    let key = json!({"schema": of_other("Key"), "payload": {"id": 3}}).to_string();
    assert_eq!(decode_keyed(REFERRALS, &key, &flag).expect_err("a refusal").code(), "OTHER_TABLE");
    let value = json!({"schema": of_other("Value"), "payload": flag});
    assert_eq!(decode_keyed(REFERRALS, r#"{"id":3}"#, &value).expect_err("a refusal").code(), "OTHER_TABLE");
    // A message that names its table is believed: its key may be any of its columns.
    let mut told = envelope("d", &Value::Null, &Value::Null);
    told["source"]["table"] = json!("referral_relations");
    told["source"]["schema"] = json!("rwa_referral");
    assert_eq!(changed(decode_keyed(REFERRALS, of_order, &told)).row_key.primary_key(), "3");
}

#[test]
fn an_update_that_spells_every_column_in_another_way_is_refused_and_one_of_other_columns_changes_nothing() {
    for row in [json!({"orderId": 11, "treeCount": 2}), json!({"ORDER_ID": 11, "TREE_COUNT": 2})] {
        let refused = decode_keyed(ORDERS, "11", &envelope("u", &Value::Null, &row)).expect_err("a refusal");
        assert_eq!(refused.code(), "NO_COLUMN", "{row}");
    }
    let other = envelope("u", &Value::Null, &json!({"remark": "a gift"}));
    assert!(changed(decode_keyed(ORDERS, "11", &other)).cells.is_empty());
}

#[test]
fn without_a_message_key_a_row_is_named_by_its_business_key() {
    for key in ["null", "Struct{order_id=55}", r#"{"schema":null,"payload":null}"#] {
        let change = changed(decode_keyed(ORDERS, key, &order_row()));
        assert_eq!(change.row_key.primary_key(), "55", "{key}");
        let deleted = changed(decode_keyed(ORDERS, key, &envelope("d", &order_row(), &Value::Null)));
        assert_eq!(deleted.row_key, change.row_key);
    }
    for value in [envelope("d", &Value::Null, &Value::Null), without(order_row(), "order_id")] {
        assert_eq!(code(ORDERS, &value), "NO_KEY");
    }
}

#[test]
fn a_profile_may_name_the_key_where_messages_are_keyed_by_something_else() {
    let json = r#"{"tables": {"s.public.users": {"holds": "users", "key": ["id"]}}}"#;
    let profile = Profile::from_json(json).expect("a profile");
    let decoded = |value: Option<&Value>| {
        let value = value.map(Value::to_string);
        let key = br#"{"account_sequence":"D25122700001"}"#;
        decode(&profile, record("s.public.users", Some(key), value.as_deref().map(str::as_bytes)))
    };
    let id = "a6d1abaf-6a09-452b-bf36-0e60942efa3f";
    assert_eq!(changed(decoded(Some(&user_row()))).row_key.primary_key(), id);
    let before = json!({ "id": id, "account_sequence": "" });
    assert_eq!(changed(decoded(Some(&envelope("d", &before, &Value::Null)))).row_key.primary_key(), id);
    // Its key does not say which row it is about; the delete before it did.
    assert_eq!(decoded(None), Ok(Decoded::Control(Control::Tombstone)));
}

#[test]
fn a_tombstone_is_a_change_of_the_row_of_its_key() {
    let key = r#"{"order_id":27}"#;
    for value in [None, Some(""), Some("null"), Some(r#"{"schema":null,"payload":null}"#)] {
        let tombstone =
            decode(&Profile::built_in(), record(ORDERS, Some(key.as_bytes()), value.map(str::as_bytes)));
        let change = changed(tombstone);
        assert_eq!((change.operation, change.row_key.primary_key()), (Operation::Tombstone, "27"));
    }
    let keyless = decode(&Profile::built_in(), record(ORDERS, None, None));
    assert_eq!(keyless, Ok(Decoded::Control(Control::Tombstone)));
    // The orders' key in the users' topic is not a user's.
    let foreign = decode(&Profile::built_in(), record(USERS, Some(key.as_bytes()), None));
    assert_eq!(foreign.expect_err("another table's key").code(), "OTHER_KEY");
    let described =
        format!(r#"{{"schema":{{"type":"struct","name":"{ORDERS}.Key"}},"payload":{{"id":27}}}}"#);
    let foreign = decode(&Profile::built_in(), record(USERS, Some(described.as_bytes()), None));
    assert_eq!(foreign.expect_err("another table's key").code(), "OTHER_TABLE");
}

#[test]
fn records_without_a_row_change_nothing() {
    let heartbeat = json!({"ts_ms": 1_795_167_685_552_i64});
    let at = Control::Heartbeat { source_ts_ms: 1_795_167_685_552 };
    let transaction = json!({"status": "BEGIN", "id": "571", "event_count": null, "ts_ms": 1});
    let message = json!({
        "op": "m", "ts_ms": 1, "source": {"snapshot": "false"}, "message": {"prefix": "p", "content": "AA=="},
    });
    let in_transaction = json!({
        "op": "m", "ts_ms": 1_795_167_685_552_i64, "message": {"prefix": "p", "content": "AA=="},
        "source": {"snapshot": "false", "ts_ms": 1_795_167_685_000_i64, "txId": 571, "schema": "", "table": ""},
    });
    for (topic, value, control) in [
        ("__debezium-heartbeat.dbserver1", heartbeat.clone(), at),
        ("__debezium-heartbeat.dbserver1", wrap(&heartbeat), at),
        ("dbserver1.transaction", transaction, Control::TransactionBoundary),
        ("dbserver1.message", message.clone(), Control::LogicalMessage { committed_ms: None }),
        (ORDERS, message, Control::LogicalMessage { committed_ms: None }),
        (ORDERS, in_transaction, Control::LogicalMessage { committed_ms: Some(1_795_167_685_000) }),
    ] {
        assert_eq!(decode_value(topic, &value), Ok(Decoded::Control(control)), "{topic} {value}");
    }
}

#[test]
fn a_truncate_names_the_table_and_deletes_each_of_its_rows_that_is_older() {
    let truncated = envelope("t", &Value::Null, &Value::Null);
    for value in [truncated, json!({"op": "t", "ts_ms": 1}), json!({"__op": "t", "__deleted": "false"})] {
        let Ok(Decoded::Truncate(truncate)) = decode_value(ORDERS, &value) else { panic!("a truncate") };
        assert_eq!((truncate.table, truncate.rows_of.as_str()), (SourceTable::Adoptions, ORDERS));
    }
    let at = |ts_ms: i64| {
        let mut inserted = envelope("c", &Value::Null, &order_row());
        inserted["source"]["ts_ms"] = json!(ts_ms);
        changed(decode_value(ORDERS, &inserted))
    };
    let Ok(Decoded::Truncate(truncate)) = decode_value(ORDERS, &envelope("t", &Value::Null, &Value::Null))
    else {
        panic!("a truncate")
    };
    for (ts_ms, stands) in [(1_795_167_685_062, false), (1_795_167_685_064, true)] {
        let inserted = at(ts_ms);
        let state = fold(None, &inserted).state;
        let state = fold(Some(state), &truncate.delete_of(inserted.row_key.clone())).state;
        assert_eq!(state.image().is_some(), stands);
    }
}

#[test]
fn a_value_that_is_no_message_is_refused_with_the_code_of_what_is_wrong() {
    let refused = |topic: &str, value: &[u8]| {
        decode(&Profile::built_in(), record(topic, None, Some(value))).expect_err("a refusal").code()
    };
    assert_eq!(refused("dbserver1.other", b"{}"), "UNKNOWN_TOPIC");
    for value in [&b"{"[..], b"\xff", b"Struct{order_id=1}", b"{\"order_id\":1}x", b"{\"a\":\"\xff\"}", b"01"]
    {
        assert_eq!(refused(ORDERS, value), "MALFORMED_JSON", "{value:?}");
    }
    for value in [&b"[]"[..], b"1", b"\"text\"", b"true", b"{\"\\ud800\":1}"] {
        assert_eq!(refused(ORDERS, value), "INVALID_MESSAGE", "{value:?}");
    }
    assert_eq!(refused(ORDERS, b"{\"schema\":7,\"payload\":{}}"), "INVALID_FIELD");
    assert_eq!(refused("__debezium-heartbeat.x", b"{}"), "MISSING_FIELD");
    assert_eq!(code(ORDERS, &envelope("x", &Value::Null, &order_row())), "INVALID_FIELD");
    assert_eq!(code(ORDERS, &without(envelope("c", &Value::Null, &order_row()), "op")), "MISSING_FIELD");
    assert_eq!(code(ORDERS, &envelope("c", &order_row(), &Value::Null)), "MISSING_FIELD");
    assert_eq!(code(ORDERS, &envelope("c", &Value::Null, &json!(7))), "INVALID_FIELD");
}

#[test]
fn avro_json_is_refused_with_the_converter_that_helps() {
    let union = |field: &str, value: Value| with(order_row(), &json!({ field: value }));
    for value in [
        union("status", json!({"string": "PAID"})),
        envelope("c", &Value::Null, &json!({"dbserver1.rwa_planting.planting_orders.Value": order_row()})),
        with(envelope("c", &Value::Null, &order_row()), &json!({"op": {"string": "c"}})),
    ] {
        let refusal = decode_value(ORDERS, &value).expect_err("Avro's JSON");
        assert_eq!(refusal.code(), "AVRO_JSON");
        assert!(refusal.to_string().contains("JsonConverter"), "{refusal}");
    }
}

#[test]
fn a_deeply_nested_message_is_read_without_recursion() {
    let nested = format!("{{\"before\":{{\"a\":{}1{}}}}}", "[".repeat(200_000), "]".repeat(200_000));
    let refusal = decode(&Profile::built_in(), record(ORDERS, None, Some(nested.as_bytes())));
    assert_eq!(refusal.expect_err("no operation").code(), "MISSING_FIELD");
    let schema = format!("{}{}", "{\"fields\":[".repeat(100_000), "]}".repeat(100_000));
    let wrapped = format!("{{\"schema\":{schema},\"payload\":{{}}}}");
    let refusal = decode(&Profile::built_in(), record(ORDERS, None, Some(wrapped.as_bytes())));
    assert_eq!(refusal.expect_err("too deep a schema").code(), "INVALID_FIELD");
}

#[test]
fn a_row_of_the_deployment_needs_neither_price_nor_date_nor_position() {
    let value = json!({
        "id": 55,
        "account_sequence": "D25122700018",
        "tree_count": 2,
        "status": "PAID",
        "selected_province": "110000",
        "created_at": 1_767_205_320_000_i64,
        "__op": "u",
        "__table": "planting_orders",
        "__source_ts_ms": 1_795_167_733_961_i64,
        "__deleted": "false",
    });
    let change = changed(decode_keyed(DEPLOYMENT_ORDERS, r#"{"id":55}"#, &value));
    assert_eq!((change.version.position, change.source_ts_ms()), (None, Some(1_795_167_733_961)));
    let RowImage::Adoption(row) = image(&change) else { panic!("an adoption") };
    assert_eq!(row.adoption_date.value().map(ToString::to_string).as_deref(), Some("2026-01-01"));
    assert!(row.contribution_per_tree.is_absent());
}
