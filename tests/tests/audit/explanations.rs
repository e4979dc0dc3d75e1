//! Explanations of the ordering incident, literally, and of what else may have become of an adoption.

use anyhow::{Context, Result};
use ledger::explain::{self, AccountExplanation, AdoptionExplanation};
use ledger::rules::{Amount, Owner};
use ledger::store::Position;

use crate::ledger::{CAPTURES, Ledger, account, order};

async fn adoption(ledger: &Ledger, number: u64) -> Result<AdoptionExplanation> {
    let policy = &ledger.stack().environment().policy;
    explain::adoption(ledger.store(), policy, order(number)).await?.context("the adoption arrived")
}

async fn about(ledger: &Ledger, number: u64, name: &str) -> Result<AccountExplanation> {
    let policy = &ledger.stack().environment().policy;
    let explained = explain::account(ledger.store(), policy, order(number), &account(name)).await?;
    explained.context("the adoption arrived")
}

#[tokio::test]
async fn print() -> Result<()> {
    let ledger = Ledger::of("ordering-incident.jsonl").await?;
    for number in [55, 57, 58, 59] {
        println!("{}", adoption(&ledger, number).await?);
        println!("{}", about(&ledger, number, "D25122700018").await?);
    }
    for name in ["D25122700014", "D25122700015", "D25122700019", "D25122700001", "D25122700030", "X"] {
        println!("{}", about(&ledger, 57, name).await?);
    }
    println!("{}", adoption(&ledger, 26).await?);
    for number in 1..=115 {
        if let Ok(explained) = adoption(&ledger, number).await {
            if explained.entries.len() > 1 || explained.account.is_none() {
                println!("{explained}");
            }
        } else {
            println!("none {number}");
        }
    }
    Ok(())
}
