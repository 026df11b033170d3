//! Patterns of secrets, as data: words that must be near, an expression, and how random the value has to be.

/// One kind of secret.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rule {
    /// Name of the rule. Stable: fingerprints begin with it.
    pub(super) id: &'static str,
    /// Description for people, with its article.
    pub(super) what: &'static str,
    /// Keywords in small letters; the pattern is tried only near one of them.
    pub(super) keywords: &'static [&'static str],
    /// A byte that must follow the keyword, as a cheap test before the pattern.
    pub(super) needs: Option<u8>,
    /// Expression of the crate `regex`, on bytes. The value is the first group.
    pub(super) pattern: &'static str,
    /// Least entropy of the value, in tenths of a bit a character.
    pub(super) entropy: u32,
    /// Whether only the word before the value tells, so that placeholders and identifiers have to be told apart.
    pub(super) is_generic: bool,
}

const fn rule(
    id: &'static str,
    what: &'static str,
    keywords: &'static [&'static str],
    pattern: &'static str,
    entropy: u32,
) -> Rule {
    Rule { id, what, keywords, needs: None, pattern, entropy, is_generic: false }
}

const fn generic(
    id: &'static str,
    what: &'static str,
    keywords: &'static [&'static str],
    pattern: &'static str,
    entropy: u32,
) -> Rule {
    Rule { id, what, keywords, needs: None, pattern, entropy, is_generic: true }
}

const fn needing(byte: u8, rule: Rule) -> Rule {
    Rule { needs: Some(byte), ..rule }
}

/// The rules; those that know the form of a value come before those that guess.
#[rustfmt::skip]
pub(super) const RULES: &[Rule] = &[
    rule("aws-access-key", "an AWS access key", &["akia", "asia", "abia", "acca"], r"\b((?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16})\b", 25),
    rule("aws-secret-key", "an AWS secret key", &["secret_access_key", "secretaccesskey", "aws_secret", "aws secret", "awssecret"], r#"(?i:secret[_ -]?(?:access)?[_ -]?key|aws[_ -]?secret)[a-zA-Z_]{0,12}["']?\]?\s{0,3}(?:=|:|=>|,)\s{0,3}["']?([A-Za-z0-9/+]{40})(?:[^A-Za-z0-9/+]|$)"#, 38),
    rule("gcp-api-key", "a Google API key", &["aiza"], r"\b(AIza[A-Za-z0-9_-]{35})(?:[^A-Za-z0-9_-]|$)", 30),
    rule("gcp-client-secret", "a Google OAuth client secret", &["gocspx-"], r"\b(GOCSPX-[A-Za-z0-9_-]{24,32})", 30),
    rule("gcp-access-token", "a Google access token", &["ya29."], r"\b(ya29\.[A-Za-z0-9_-]{20,})", 30),
    rule("gcp-key-id", "a Google service account", &["private_key_id"], r#""private_key_id"\s{0,4}:\s{0,4}"([0-9a-f]{40})""#, 30),
    rule("azure-storage-key", "an Azure storage key", &["accountkey", "sharedaccesskey"], r"(?i:AccountKey|SharedAccessKey)=([A-Za-z0-9+/]{40,90}={1,2})", 38),
    rule("azure-client-secret", "an Azure client secret", &["q~"], r"(?:^|[^A-Za-z0-9_~.-])([A-Za-z0-9_~.-]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,34})(?:[^A-Za-z0-9_~.-]|$)", 30),
    rule("azure-sas", "an Azure shared access signature", &["sig="], r"[?&]sig=([A-Za-z0-9%+/]{40,100}(?:=|%3D))", 38),
    rule("github-token", "a GitHub token", &["ghp_", "gho_", "ghu_", "ghs_", "ghr_"], r"\b(gh[pousr]_[A-Za-z0-9]{36,251})\b", 30),
    rule("github-fine-grained-token", "a GitHub token", &["github_pat_"], r"\b(github_pat_[A-Za-z0-9_]{36,255})\b", 30),
    rule("gitlab-token", "a GitLab token", &["glpat-", "gldt-", "glrt-", "glptt-", "glcbt-", "glft-", "glsoat-", "gloas-"], r"\b((?:glpat|gldt|glrt|glptt|glcbt|glft|glsoat|gloas)-[A-Za-z0-9_-]{20,80})", 30),
    rule("slack-token", "a Slack token", &["xoxa-", "xoxb-", "xoxe-", "xoxo-", "xoxp-", "xoxr-", "xoxs-", "xapp-"], r"\b(xox[abeoprs]-(?:[A-Za-z0-9]+-){1,4}[A-Za-z0-9]{10,160}|xapp-[0-9]-[A-Za-z0-9]+-[A-Za-z0-9-]{20,160})", 28),
    rule("slack-webhook", "a Slack webhook", &["hooks.slack.com"], r"(hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9+/]{24,80})", 30),
    rule("stripe-key", "a Stripe key", &["sk_live_", "rk_live_", "sk_test_", "rk_test_", "sk_prod_", "rk_prod_"], r"\b((?:sk|rk)_(?:live|test|prod)_[A-Za-z0-9]{10,200})\b", 28),
    rule("webhook-secret", "a webhook secret", &["whsec_"], r"\b(whsec_[A-Za-z0-9+/]{24,100})", 30),
    rule("anthropic-key", "an Anthropic key", &["sk-ant-"], r"\b(sk-ant-[a-z]{2,8}[0-9]{2}-[A-Za-z0-9_-]{20,200})", 30),
    rule("openai-key", "an OpenAI key", &["sk-"], r"\b(sk-(?:proj|svcacct|admin|None)-[A-Za-z0-9_-]{20,200}|sk-[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20}|sk-[A-Za-z0-9]{48})(?:[^A-Za-z0-9_-]|$)", 35),
    rule("openrouter-key", "an OpenRouter key", &["sk-or-v1-"], r"\b(sk-or-v1-[0-9a-f]{64})\b", 30),
    rule("huggingface-token", "a Hugging Face token", &["hf_", "api_org_"], r"\b((?:hf|api_org)_[A-Za-z0-9]{30,40})\b", 35),
    rule("groq-key", "a Groq key", &["gsk_"], r"\b(gsk_[A-Za-z0-9]{48,56})\b", 35),
    rule("replicate-token", "a Replicate token", &["r8_"], r"\b(r8_[A-Za-z0-9]{37})\b", 35),
    rule("perplexity-key", "a Perplexity key", &["pplx-"], r"\b(pplx-[A-Za-z0-9]{48})\b", 35),
    rule("xai-key", "an xAI key", &["xai-"], r"\b(xai-[A-Za-z0-9]{70,90})\b", 35),
    rule("wandb-key", "a Weights & Biases key", &["wandb"], r#"(?i:wandb)[^\n]{0,24}?(?i:key|login)[^\n]{0,16}?["'=\s(]([0-9a-f]{40})\b"#, 30),
    rule("kaggle-key", "a Kaggle key", &["username", "kaggle_key"], r#"(?:"username"\s{0,3}:\s{0,3}"[^"]{1,60}"\s{0,3},\s{0,3}"key"\s{0,3}:\s{0,3}"|KAGGLE_KEY["']?\]?\s{0,3}[=:]\s{0,3}["']?)([0-9a-f]{32})\b"#, 28),
    rule("pypi-token", "a PyPI token", &["pypi-ag"], r"\b(pypi-Ag[A-Za-z0-9_-]{50,250})", 30),
    rule("npm-token", "an npm token", &["npm_", "_authtoken"], r"(?:\b(npm_[A-Za-z0-9]{36})\b|:_authToken=([A-Za-z0-9-]{20,80}))", 30),
    rule("docker-token", "a Docker token", &["dckr_pat_", "dckr_oat_"], r"\b(dckr_[op]at_[A-Za-z0-9_-]{24,64})", 30),
    rule("docker-auth", "a login of a registry", &["\"auth\""], r#""auth"\s{0,4}:\s{0,4}"([A-Za-z0-9+/]{20,200}={0,2})""#, 35),
    rule("sendgrid-key", "a SendGrid key", &["sg."], r"\b(SG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{32,64})", 35),
    rule("mailgun-key", "a Mailgun key", &["key-"], r"\b(key-[0-9a-f]{32})\b", 28),
    rule("mailchimp-key", "a Mailchimp key", &["-us"], r"\b([0-9a-f]{32}-us[0-9]{1,2})\b", 28),
    rule("twilio-key", "a Twilio key", &["sk0", "sk1", "sk2", "sk3", "sk4", "sk5", "sk6", "sk7", "sk8", "sk9", "ska", "skb", "skc", "skd", "ske", "skf"], r"\b(SK[0-9a-f]{32})\b", 28),
    rule("twilio-token", "a Twilio token", &["twilio"], r#"(?i:twilio)[^\n]{0,24}?(?i:token|secret)[^\n]{0,12}?["'=\s]([0-9a-f]{32})\b"#, 28),
    rule("telegram-token", "a Telegram bot token", &[":aa"], r"\b([0-9]{8,10}:AA[A-Za-z0-9_-]{33})(?:[^A-Za-z0-9_-]|$)", 35),
    rule("discord-webhook", "a Discord webhook", &["discord.com/api/webhooks", "discordapp.com/api/webhooks"], r"(discord(?:app)?\.com/api/webhooks/[0-9]{16,20}/[A-Za-z0-9_-]{50,80})", 35),
    rule("discord-token", "a Discord bot token", &["discord", "bot"], r"(?i:discord|bot)[^\n]{0,48}?\b([MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,40})(?:[^A-Za-z0-9_-]|$)", 35),
    rule("databricks-token", "a Databricks token", &["dapi"], r"\b(dapi[0-9a-f]{32}(?:-[0-9])?)\b", 28),
    rule("digitalocean-token", "a DigitalOcean token", &["dop_v1_", "doo_v1_", "dor_v1_"], r"\b(do[opr]_v1_[0-9a-f]{64})\b", 28),
    rule("heroku-key", "a Heroku key", &["heroku", "hrku-"], r#"(?:\b(HRKU-[A-Za-z0-9_-]{36,80})|(?i:heroku)[^\n]{0,24}?(?i:key|token)["']?\]?\s{0,3}[=:]\s{0,3}["']?([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}))"#, 28),
    rule("shopify-token", "a Shopify token", &["shpat_", "shpca_", "shppa_", "shpss_"], r"\b(shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32})\b", 28),
    rule("square-token", "a Square token", &["sq0atp-", "sq0csp-"], r"\b(sq0(?:atp|csp)-[A-Za-z0-9_-]{22,43})", 30),
    rule("newrelic-key", "a New Relic key", &["nrak-"], r"\b(NRAK-[A-Z0-9]{27})\b", 28),
    rule("grafana-token", "a Grafana token", &["glsa_", "glc_"], r"\b(glsa_[A-Za-z0-9]{32}_[0-9a-fA-F]{8}|glc_[A-Za-z0-9+/]{32,400})", 30),
    rule("notion-token", "a Notion token", &["ntn_", "secret_"], r"\b(ntn_[A-Za-z0-9]{40,50}|secret_[A-Za-z0-9]{43})\b", 38),
    rule("linear-key", "a Linear key", &["lin_api_"], r"\b(lin_api_[A-Za-z0-9]{40})\b", 30),
    rule("postman-key", "a Postman key", &["pmak-"], r"\b(PMAK-[0-9a-f]{24}-[0-9a-f]{34})\b", 28),
    rule("vault-token", "a Vault token", &["hvs.", "hvb."], r"\b(hv[bs]\.[A-Za-z0-9_-]{24,200})", 35),
    rule("terraform-token", "a Terraform token", &[".atlasv1."], r"\b([A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{60,80})", 35),
    rule("supabase-token", "a Supabase token", &["sbp_"], r"\b(sbp_[0-9a-f]{40})\b", 28),
    rule("planetscale-token", "a PlanetScale token", &["pscale_"], r"\b(pscale_(?:tkn|pw|oauth)_[A-Za-z0-9_.-]{32,64})", 30),
    rule("atlassian-token", "an Atlassian token", &["atatt3"], r"\b(ATATT3[A-Za-z0-9_=-]{60,250})", 35),
    rule("sentry-token", "a Sentry token", &["sntrys_", "sntryu_"], r"\b(sntry[su]_[A-Za-z0-9+/=_]{60,300})", 35),
    rule("doppler-token", "a Doppler token", &["dp.pt.", "dp.st."], r"\b(dp\.(?:pt|st)\.[A-Za-z0-9_.]{40,60})", 35),
    rule("jwt", "a JSON web token", &["eyj"], r"\b(eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{16,})", 35),
    rule("private-key", "a private key", &["-----begin"], r"-----BEGIN[ A-Z0-9]{0,40}PRIVATE KEY(?: BLOCK)?-----[\s\S]{0,240}?([A-Za-z0-9+/=]{16,})", 25),
    rule("putty-key", "a private key of PuTTY", &["putty-user-key-file"], r"PuTTY-User-Key-File-[0-9]:[\s\S]{0,2000}?Private-Lines: [0-9]+\s{1,2}([A-Za-z0-9+/=]{16,})", 25),
    rule("age-key", "a secret key of age", &["age-secret-key-1"], r"\b(AGE-SECRET-KEY-1[0-9A-Z]{58})\b", 30),
    needing(b'@', generic("database-url", "the password of a database", &["://"], r#"\b(?i:postgres(?:ql)?|mysql|mariadb|mongodb|rediss?|amqps?|mssql|oracle|clickhouse|cockroachdb|snowflake|trino)(?:\+[A-Za-z0-9_]{1,20})?://[^\s:/?#@"'<>{}$]{0,80}:([^\s:/?@"'<>]{4,120})@[A-Za-z0-9.\[_-]"#, 15)),
    needing(b'@', generic("url-password", "a password in an address", &["://"], r#"\b(?i:https?|ftps?|sftp|ssh|git|svn|wss?|smtps?|imaps?|ldaps?|socks5h?)(?:\+[a-z]{1,10})?://[^\s:/?#@"'<>{}$]{0,80}:([^\s:/?@"'<>]{4,120})@[A-Za-z0-9\[-][A-Za-z0-9.:\]_-]{2}"#, 15)),
    generic("bearer-token", "a bearer token", &["bearer"], r#"(?i:bearer)["']?[\s:=]{1,3}["']?([A-Za-z0-9_.~+/=-]{20,500})"#, 34),
    generic("basic-auth", "a basic-auth header", &["basic "], r#"(?i:authorization)["']?\]?\s{0,3}[:=,]\s{0,3}["']?(?i:basic)\s{1,3}([A-Za-z0-9+/]{12,200}={0,2})"#, 30),
    generic("password", "a password", &["password", "passwd", "passphrase", "pwd"], r#"(?i:password|passwd|passphrase|pwd)(?:_?[a-zA-Z0-9]{1,8})?["']?\]?\s{0,3}(?:=>|:=|=|:)\s{0,3}(?:[rRbBuUfF]{0,2}["']([^"'\s<>]{8,120})["']|([^"'\s<>,;(){}\[\]=]{8,120})(?:[\s;&]|$))"#, 25),
    generic("api-key", "a key or token", &["api_key", "apikey", "api-key", "secret", "token", "access_key", "accesskey", "auth_key", "encryption_key", "signing_key", "private_key"], r#"(?i:(?:api|access|auth|encryption|signing|private)[_-]?key|secret|token)(?:[_-](?i:key|value|token|secret|prod|dev|test|live|[0-9]))?["']?\]?\s{0,3}(?:=>|:=|=|:|,)\s{0,3}(?:[rRbBuUfF]{0,2}["']([A-Za-z0-9_./+=~-]{16,200})["']|([A-Za-z0-9_/+=~-]{20,200})(?:[\s;&]|$))"#, 35),
];
