//! Why the ledger and the earlier service differ in a part or an account.

use serde::Serialize;

use crate::language::Language;

/// Why the two differ in a part of an adoption, or in an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Reason {
    /// An adoption with a smaller number had unlocked it, which the earlier service processed afterwards.
    Ordering,
    /// The adoption itself unlocks it, and the earlier service counted it afterwards.
    CountsItself,
    /// The earlier service gave what only an adoption with a greater number unlocked.
    UnlockedLater,
    /// The earlier service gave what the rules do not unlock: an adoption that counted then does not count.
    NotUnlocked,
    /// The earlier service kept back what the rules unlock, and nothing in its records says why.
    KeptBack,
    /// The earlier service booked nothing where the chain of referrers had ended.
    ChainEnd,
    /// Another account is the ancestor by now.
    Upline,
    /// The contribution of a tree is another one.
    Price,
    /// The number of trees, or the adopter, is another one.
    Terms,
    /// Rounding: the last digits of a share, or what they leave over.
    Rounding,
    /// The adoption does not count: its status is not distributable, or its row is gone.
    Cancelled,
    /// The ledger holds the adoption for another reason.
    Held,
    /// The ledger does not know the adoption, or its order number is not known.
    UnknownAdoption,
    /// The earlier service booked it twice.
    Double,
    /// The earlier service booked nothing of the adoption.
    NotBooked,
    /// The earlier service booked the adoption, and not this part of it.
    PartMissing,
    /// The earlier service's account does not say what its records add up to.
    AccountDisagrees,
    /// An operator moved an amount.
    Adjusted,
    /// The ledger's account does not say what its legs add up to. This is a fault; `audit` finds it.
    LedgerDisagrees,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 19] = [
        Self::Ordering,
        Self::CountsItself,
        Self::UnlockedLater,
        Self::NotUnlocked,
        Self::KeptBack,
        Self::ChainEnd,
        Self::Upline,
        Self::Price,
        Self::Terms,
        Self::Rounding,
        Self::Cancelled,
        Self::Held,
        Self::UnknownAdoption,
        Self::Double,
        Self::NotBooked,
        Self::PartMissing,
        Self::AccountDisagrees,
        Self::Adjusted,
        Self::LedgerDisagrees,
    ];

    /// Returns the stable name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ordering => "ORDERING",
            Self::CountsItself => "COUNTS_ITSELF",
            Self::UnlockedLater => "UNLOCKED_LATER",
            Self::NotUnlocked => "NOT_UNLOCKED",
            Self::KeptBack => "KEPT_BACK",
            Self::ChainEnd => "CHAIN_END",
            Self::Upline => "UPLINE",
            Self::Price => "PRICE",
            Self::Terms => "TERMS",
            Self::Rounding => "ROUNDING",
            Self::Cancelled => "CANCELLED",
            Self::Held => "HELD",
            Self::UnknownAdoption => "UNKNOWN_ADOPTION",
            Self::Double => "DOUBLE",
            Self::NotBooked => "NOT_BOOKED",
            Self::PartMissing => "PART_MISSING",
            Self::AccountDisagrees => "ACCOUNT_DISAGREES",
            Self::Adjusted => "ADJUSTED",
            Self::LedgerDisagrees => "LEDGER_DISAGREES",
        }
    }

    /// Returns what it means, as a sentence.
    #[must_use]
    pub fn meaning(self, language: Language) -> &'static str {
        let (english, chinese) = self.meanings();
        language.choose(english, chinese)
    }

    /// Returns what it means in English and in Chinese.
    fn meanings(self) -> (&'static str, &'static str) {
        match self {
            Self::Ordering => (
                "An adoption with a smaller number had unlocked it; the earlier service processed that one later.",
                "订单号更小的认种已将其解锁；此前服务后来才处理那一笔。",
            ),
            Self::CountsItself => (
                "The adoption itself unlocks it; the earlier service counted it afterwards.",
                "该笔认种自身即解锁；此前服务事后才将其计入。",
            ),
            Self::UnlockedLater => (
                "The earlier service gave what only a later adoption unlocked.",
                "此前服务发放了之后的认种才解锁的部分。",
            ),
            Self::NotUnlocked => (
                "The earlier service gave what nothing that counts today unlocks.",
                "此前服务发放了今天所计入的认种都未解锁的部分。",
            ),
            Self::KeptBack => (
                "The earlier service kept back what the rules unlock; its records do not say why.",
                "此前服务扣留了按规则已解锁的部分；其记录没有说明原因。",
            ),
            Self::ChainEnd => (
                "The chain of referrers ends below this level; the earlier service booked it nowhere, the ledger books it to headquarters.",
                "上线链条在该层级以下已到尽头；此前服务未记入任何账户，账本记入总部。",
            ),
            Self::Upline => ("Another account is the ancestor by now.", "该层级的上线现为另一账户。"),
            Self::Price => ("The contribution of a tree is another one.", "每棵树的算力不同。"),
            Self::Terms => ("The number of trees, or the adopter, is another one.", "棵数或认种人不同。"),
            Self::Rounding => (
                "The last digits of a share, or what rounding leaves over.",
                "份额的末位数字，或取整后的余数。",
            ),
            Self::Cancelled => (
                "The adoption does not count: its status is not distributable, or its row is gone.",
                "该笔认种不计入：其状态不可分配，或其记录已不存在。",
            ),
            Self::Held => {
                ("The ledger holds the adoption for another reason.", "账本因其他原因暂挂该笔认种。")
            }
            Self::UnknownAdoption => (
                "The ledger does not know the adoption, or nothing says which order it is.",
                "账本没有该笔认种，或无从得知其订单号。",
            ),
            Self::Double => ("The earlier service booked it twice.", "此前服务记了两次。"),
            Self::NotBooked => {
                ("The earlier service booked nothing of the adoption.", "此前服务未记该笔认种。")
            }
            Self::PartMissing => (
                "The earlier service booked the adoption without this part.",
                "此前服务记了该笔认种，但缺这一份。",
            ),
            Self::AccountDisagrees => (
                "The earlier service's account does not say what its records add up to.",
                "此前服务的账户余额与其记录之和不符。",
            ),
            Self::Adjusted => ("An operator moved an amount.", "运维人员调整过数额。"),
            Self::LedgerDisagrees => (
                "The ledger's account does not say what its legs add up to: a fault, which the audit finds.",
                "账本的账户余额与其明细之和不符：属于故障，审计会发现。",
            ),
        }
    }
}
