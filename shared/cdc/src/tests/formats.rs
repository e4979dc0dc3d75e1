//! Rows written in every combination of formats that a connector has must decode to the same row.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, NaiveDate, NaiveTime};
use domain::{AccountSequence, BusinessDate, OrderId};
use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone, Copy)]
enum Shape {
    Envelope,
    Flattened,
    FlattenedWithoutFields,
}

#[derive(Debug, Clone, Copy)]
enum Decimals {
    Base64,
    VariableScale,
    Text,
    Number,
    Exponent,
}

#[derive(Debug, Clone, Copy)]
enum Dates {
    Days,
    Milliseconds,
    Microseconds,
    Nanoseconds,
    Text,
    Zoned,
}

#[derive(Debug, Clone, Copy)]
struct Format {
    wrapped: bool,
    shape: Shape,
    decimals: Decimals,
    dates: Dates,
    boolean_snapshot: bool,
}

fn formats() -> impl Strategy<Value = Format> {
    let shapes =
        prop_oneof![Just(Shape::Envelope), Just(Shape::Flattened), Just(Shape::FlattenedWithoutFields)];
    let decimals = prop_oneof![
        Just(Decimals::Base64),
        Just(Decimals::VariableScale),
        Just(Decimals::Text),
        Just(Decimals::Number),
        Just(Decimals::Exponent),
    ];
    let dates = prop_oneof![
        Just(Dates::Days),
        Just(Dates::Milliseconds),
        Just(Dates::Microseconds),
        Just(Dates::Nanoseconds),
        Just(Dates::Text),
        Just(Dates::Zoned),
    ];
    (any::<bool>(), shapes, decimals, dates, any::<bool>()).prop_map(
        |(wrapped, shape, decimals, dates, boolean_snapshot)| Format {
            wrapped,
            shape,
            decimals,
            dates,
            boolean_snapshot,
        },
    )
}

fn accounts() -> impl Strategy<Value = AccountSequence> {
    "D[0-9]{11}".prop_map(|text| text.parse().expect("an account"))
}

fn adoptions() -> impl Strategy<Value = AdoptionImage> {
    let regions = || {
        let code = "[0-9]{6}|[A-Z]{2}-[A-Z]{2}|省{1,9}".prop_map(|text| text.parse().expect("a region"));
        proptest::option::of(code).prop_map(|code| code.map_or(Region::None, Region::Code))
    };
    let prices = proptest::option::of((0..10_i128.pow(28)).prop_map(|units| {
        let price = Price::from_units(units);
        assert_eq!(price.units(), units);
        price
    }))
    .prop_map(|price| price.map_or(Reading::Null(Column::ContributionPerTree), Reading::Value));
    // This century, in which a number says its unit.
    let dates =
        (10_957..47_000_i64).prop_map(|days| BusinessDate::from_days_since_epoch(days).expect("a date"));
    let orders = (1..=OrderId::MAX.get()).prop_map(|number| OrderId::new(number).expect("an order"));
    let trees = any::<i32>().prop_map(i64::from);
    let statuses = "[A-Z_]{1,20}";
    (orders, accounts(), trees, prices, dates, statuses, regions(), regions()).prop_map(
        |(order, account, tree_count, contribution_per_tree, adoption_date, status, province, city)| {
            AdoptionImage {
                order: Reading::Value(order),
                account: Reading::Value(account),
                tree_count: Reading::Value(tree_count),
                contribution_per_tree,
                adoption_date: Reading::Value(adoption_date),
                status: Reading::Value(status),
                province,
                city,
            }
        },
    )
}

/// Returns a row and the schema of its fields, as text, because numbers of more digits than a double's are
/// not for a tree of values.
fn encode_adoption(row: &AdoptionImage, format: Format, seconds: u32) -> Vec<(&'static str, String, Value)> {
    let text = |text: &str| json!(text).to_string();
    let string = || json!({"type": "string", "optional": true});
    let region = |code: Option<&str>| code.map_or("null".to_owned(), text);
    let read = "a readable value";
    let (price, price_schema) = encode_price(row.contribution_per_tree.value().copied(), format.decimals);
    let date = *row.adoption_date.value().expect(read);
    let (date, date_schema) = encode_date(date, format.dates, seconds);
    vec![
        ("order_id", row.order.value().expect(read).to_string(), json!({"type": "int64"})),
        ("account_sequence", text(row.account.value().expect(read).as_str()), string()),
        ("tree_count", row.tree_count.value().expect(read).to_string(), json!({"type": "int64"})),
        ("contribution_per_tree", price, price_schema),
        ("adoption_date", date, date_schema),
        ("status", text(row.status.value().expect(read)), string()),
        ("selected_province", region(row.province.code().map(domain::RegionCode::as_str)), string()),
        ("selected_city", region(row.city.code().map(domain::RegionCode::as_str)), string()),
    ]
}

fn encode_price(price: Option<Price>, decimals: Decimals) -> (String, Value) {
    let units = price.map_or(0, Price::units);
    let text = price.map(|price| price.to_string()).unwrap_or_default();
    let base64 = STANDARD.encode(units.to_be_bytes());
    let (json, schema) = match decimals {
        Decimals::Base64 => (
            format!("\"{base64}\""),
            json!({
                "type": "bytes", "name": "org.apache.kafka.connect.data.Decimal", "version": 1,
                "parameters": {"scale": "10"},
            }),
        ),
        Decimals::VariableScale => (
            format!("{{\"scale\":10,\"value\":\"{base64}\"}}"),
            json!({"type": "struct", "name": "io.debezium.data.VariableScaleDecimal", "fields": []}),
        ),
        Decimals::Text => (format!("\"{text}\""), json!({"type": "string"})),
        Decimals::Number => (text, json!({"type": "double"})),
        Decimals::Exponent => (format!("{units}E-10"), json!({"type": "double"})),
    };
    (if price.is_some() { json } else { "null".to_owned() }, schema)
}

/// Encodes a business date as it is, or as an instant on it.
fn encode_date(date: BusinessDate, dates: Dates, seconds: u32) -> (String, Value) {
    let day = NaiveDate::from(date);
    let time = NaiveTime::from_num_seconds_from_midnight_opt(seconds, 0).expect("a time of day");
    let local = day.and_time(time);
    let instant = local.and_local_timezone(chrono_tz::Asia::Shanghai).earliest().expect("no summer time");
    let logical = |primitive: &str, name: &str| json!({"type": primitive, "name": name, "version": 1});
    match dates {
        Dates::Days => {
            let days = day.signed_duration_since(DateTime::UNIX_EPOCH.date_naive()).num_days();
            (days.to_string(), logical("int32", "io.debezium.time.Date"))
        }
        Dates::Milliseconds => {
            (instant.timestamp_millis().to_string(), logical("int64", "io.debezium.time.Timestamp"))
        }
        Dates::Microseconds => {
            (instant.timestamp_micros().to_string(), logical("int64", "io.debezium.time.MicroTimestamp"))
        }
        Dates::Nanoseconds => {
            let nanoseconds = instant.timestamp_nanos_opt().expect("before 2262");
            (nanoseconds.to_string(), logical("int64", "io.debezium.time.NanoTimestamp"))
        }
        Dates::Text => (format!("\"{date}\""), logical("string", "io.debezium.time.IsoDate")),
        Dates::Zoned => {
            (format!("\"{}\"", instant.to_rfc3339()), logical("string", "io.debezium.time.ZonedTimestamp"))
        }
    }
}

/// Puts fields into a message of the shape the format asks for.
fn encode_message(mut fields: Vec<(&'static str, String, Value)>, format: Format) -> Vec<u8> {
    let string = || json!({"type": "string", "optional": true});
    let long = || json!({"type": "int64", "optional": true});
    let snapshot = if format.boolean_snapshot { "true" } else { "\"true\"" };
    let object = |fields: &[(&str, String, Value)]| {
        let fields: Vec<String> =
            fields.iter().map(|(name, value, _)| format!("\"{name}\":{value}")).collect();
        format!("{{{}}}", fields.join(","))
    };
    let schema = |fields: &[(&str, String, Value)]| {
        let fields: Vec<Value> =
            fields.iter().map(|(name, _, schema)| with(schema.clone(), &json!({"field": name}))).collect();
        json!({"type": "struct", "optional": true, "fields": fields})
    };
    let fields = match format.shape {
        Shape::FlattenedWithoutFields => fields,
        Shape::Flattened => {
            fields.push(("__op", "\"r\"".to_owned(), string()));
            fields.push(("__lsn", "7".to_owned(), long()));
            fields.push(("__source_ts_ms", "8".to_owned(), long()));
            fields.push(("__source_snapshot", snapshot.to_owned(), string()));
            fields
        }
        Shape::Envelope => {
            let source = format!("{{\"lsn\":7,\"ts_ms\":8,\"snapshot\":{snapshot}}}");
            vec![
                ("before", "null".to_owned(), schema(&fields)),
                ("after", object(&fields), schema(&fields)),
                ("source", source, json!({"type": "struct", "fields": []})),
                ("op", "\"r\"".to_owned(), string()),
            ]
        }
    };
    if format.wrapped {
        format!("{{\"schema\":{},\"payload\":{}}}", schema(&fields), object(&fields)).into_bytes()
    } else {
        object(&fields).into_bytes()
    }
}

fn expect_decoded(topic: &str, message: &[u8], format: Format) -> Change {
    let decoded = decode(&Profile::built_in(), record(topic, None, Some(message)));
    let Ok(Decoded::Change(change)) = decoded else {
        panic!("{decoded:?} from {}", String::from_utf8_lossy(message))
    };
    let (version, time, snapshot) = match format.shape {
        Shape::Envelope | Shape::Flattened => (Some(7), Some(8), SnapshotPhase::Reading),
        Shape::FlattenedWithoutFields => (None, None, SnapshotPhase::Unknown),
    };
    assert_eq!((change.version.position, change.source_ts_ms(), change.snapshot), (version, time, snapshot));
    change
}

proptest! {
    #[test]
    fn an_adoption_reads_back_from_every_format(
        row in adoptions(),
        format in formats(),
        seconds in 0..86_400_u32,
    ) {
        let message = encode_message(encode_adoption(&row, format, seconds), format);
        let change = expect_decoded(ORDERS, &message, format);
        prop_assert_eq!(image(&change), RowImage::Adoption(row));
    }

    #[test]
    fn a_referral_reads_back_from_every_format(
        account in accounts(),
        referrer in proptest::option::of(accounts()),
        format in formats(),
    ) {
        let string = || json!({"type": "string"});
        let text = referrer.as_ref().map_or("null".to_owned(), |referrer| format!("\"{referrer}\""));
        let fields = vec![
            ("account_sequence", format!("\"{account}\""), string()),
            ("referrer_account_sequence", text, string()),
        ];
        let change = expect_decoded(REFERRALS, &encode_message(fields, format), format);
        let referrer = referrer.map_or(Referrer::None, Referrer::Account);
        let expected = ReferralImage { account: Reading::Value(account), referrer };
        prop_assert_eq!(image(&change), RowImage::Referral(expected));
    }

    #[test]
    fn a_user_reads_back_from_every_format(
        account in accounts(),
        status in proptest::option::of("[A-Z]{1,20}"),
        milliseconds in proptest::option::of(946_684_800_000..4_102_000_000_000_i64),
        format in formats(),
    ) {
        let string = || json!({"type": "string"});
        let null = || "null".to_owned();
        let created_at = milliseconds.and_then(DateTime::from_timestamp_millis);
        let time = created_at.map_or_else(null, |time| match format.dates {
            Dates::Days | Dates::Milliseconds => time.timestamp_millis().to_string(),
            Dates::Microseconds | Dates::Nanoseconds => time.timestamp_micros().to_string(),
            Dates::Text => format!("\"{}\"", time.naive_utc()),
            Dates::Zoned => format!("\"{}\"", time.to_rfc3339()),
        });
        let fields = vec![
            ("account_sequence", format!("\"{account}\""), string()),
            ("phone", "\"13900000001\"".to_owned(), string()),
            ("status", status.as_ref().map_or_else(null, |status| format!("\"{status}\"")), string()),
            ("created_at", time, string()),
        ];
        let change = expect_decoded(USERS, &encode_message(fields, format), format);
        let row = UserImage { account: Reading::Value(account), status, created_at, last_activity: None };
        prop_assert_eq!(image(&change), RowImage::User(row));
    }
}
