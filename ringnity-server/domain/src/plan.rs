//! Features of plans.

macro_rules! features {
    ($($(#[$doc:meta])* $variant:ident = $key:literal,)+) => {
        /// A feature that a plan includes or not. The plan catalog in the database may have more: those that an operator
        /// adds are shown to people, and no rule depends on them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Feature {
            $($(#[$doc])* $variant,)+
        }

        impl Feature {
            /// All features.
            pub const ALL: &[Feature] = &[$(Feature::$variant),+];

            /// Key of the feature in the plan catalog and in the contract.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Feature::$variant => $key,)+
                }
            }
        }
    };
}

features! {
    /// Visitor chat with agents.
    Chat = "chat",
    /// Visitor voice calls.
    Voice = "voice",
    /// Visitor video calls.
    Video = "video",
    /// AI replies to visitors.
    Ai = "ai",
    /// Documents and web pages for AI answers.
    AiKnowledge = "ai_knowledge",
    /// Realtime voice calls with the AI.
    AiVoice = "ai_voice",
    /// Tickets made from conversations.
    Tickets = "tickets",
    /// Contacts synchronized with the customer's backend.
    Contacts = "contacts",
    /// Report summaries and time series.
    Reports = "reports",
    /// Report downloads.
    ReportExport = "report_export",
    /// Event deliveries to the customer's backend.
    Webhooks = "webhooks",
    /// Server API keys.
    ServerApi = "server_api",
    /// Mobile SDKs and push notifications.
    MobileSdk = "mobile_sdk",
    /// OAuth clients that sign users in.
    Oauth = "oauth",
    /// Custom branding of the widget.
    CustomBranding = "custom_branding",
}

impl Feature {
    /// The feature with that key.
    pub fn from_key(key: &str) -> Option<Feature> {
        Feature::ALL.iter().copied().find(|feature| feature.as_str() == key)
    }
}

/// The features that a plan includes.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Features(u32);

impl Features {
    /// Whether the plan includes `feature`.
    pub const fn contains(self, feature: Feature) -> bool {
        self.0 & bit(feature) != 0
    }

    /// The features, in the order of [`Feature::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Feature> {
        Feature::ALL.iter().copied().filter(move |feature| self.contains(*feature))
    }
}

const fn bit(feature: Feature) -> u32 {
    1 << feature as u32
}

impl FromIterator<Feature> for Features {
    fn from_iter<T: IntoIterator<Item = Feature>>(features: T) -> Self {
        Self(features.into_iter().fold(0, |bits, feature| bits | bit(feature)))
    }
}

impl std::fmt::Debug for Features {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_what_was_put_in_and_nothing_else() {
        assert!(Feature::ALL.len() <= 32);
        for one in Feature::ALL.iter().copied() {
            let set: Features = [one].into_iter().collect();
            assert!(Feature::ALL.iter().all(|feature| set.contains(*feature) == (*feature == one)));
            assert_eq!(Feature::from_key(one.as_str()), Some(one));
        }
        let all: Features = Feature::ALL.iter().copied().collect();
        assert_eq!(all.iter().collect::<Vec<_>>(), Feature::ALL);
        assert_eq!(Feature::from_key("teleportation"), None);
    }
}
