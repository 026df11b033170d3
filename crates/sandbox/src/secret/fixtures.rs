//! Fake secrets and innocents, against the rules. The fakes are put together when the test runs, so that no
//! scanner of repositories takes them for real.

use super::leak::{Leak, leaks};
use super::rules::RULES;

/// Text as random as a key, and the same each time.
fn noise(alphabet: &str, length: usize, seed: u64) -> String {
    let alphabet: Vec<char> = alphabet.chars().collect();
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap() % alphabet.len()
    };
    (0..length).map(|_| alphabet.get(next()).copied().unwrap()).collect()
}

const HEX: &str = "0123456789abcdef";
const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const CAPITALS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

fn found(text: &str) -> Vec<Leak> {
    leaks(text.as_bytes())
}

/// The rule that must find it, and the text.
type Fake = (&'static str, String);

fn letters(length: usize, seed: u64) -> String {
    noise(LETTERS, length, seed)
}

fn hex(length: usize, seed: u64) -> String {
    noise(HEX, length, seed)
}

fn pem(kind: &str) -> String {
    format!(
        "-----BEGIN {kind}PRIVATE KEY-----\n{}\n-----END {kind}PRIVATE KEY-----",
        letters(64, 3)
    )
}

fn fakes() -> Vec<Fake> {
    [clouds(), code_hosts(), chats(), services(), keys(), passwords()].concat()
}

/// Keys of Amazon, Google and Microsoft.
fn clouds() -> Vec<Fake> {
    vec![
        ("aws-access-key", format!("{}{}", "AKIA", noise(CAPITALS, 16, 1))),
        ("aws-access-key", format!("{}IOSFODNN7EXAMPLE", "AKIA")),
        ("aws-secret-key", format!("aws_secret_access_key = {}", letters(40, 2))),
        ("aws-secret-key", format!("os.environ['AWS_SECRET_ACCESS_KEY'] = '{}'", letters(40, 9))),
        ("gcp-api-key", format!("{}{}", "AIza", letters(35, 3))),
        ("gcp-client-secret", format!("{}-{}", "GOCSPX", letters(28, 4))),
        ("gcp-access-token", format!("{}.{}", "ya29", letters(80, 4))),
        ("gcp-key-id", format!("{{\"private_key_id\": \"{}\"}}", hex(40, 5))),
        ("azure-storage-key", format!("AccountName=a;{}={}==;x", "AccountKey", letters(86, 6))),
        ("azure-client-secret", format!("'{}8{}~{}'", letters(3, 1), "Q", letters(34, 7))),
        (
            "azure-sas",
            format!("https://a.blob.core.windows.net/c?sv=2024-01-01&sig={}%3D", letters(43, 8)),
        ),
    ]
}

/// Tokens of hosts of source code.
fn code_hosts() -> Vec<Fake> {
    vec![
        ("github-token", format!("{}_{}", "ghp", letters(36, 8))),
        ("github-token", format!("https://{}_{}@github.com/a/b", "gho", letters(36, 8))),
        (
            "github-fine-grained-token",
            format!("{}_{}_{}", "github_pat", letters(22, 9), letters(59, 9)),
        ),
        ("gitlab-token", format!("{}-{}", "glpat", letters(20, 10))),
    ]
}

/// Tokens of chat services.
fn chats() -> Vec<Fake> {
    vec![
        (
            "slack-token",
            format!("{}-{}-{}-{}", "xoxb", "123456789012", "1234567890123", letters(24, 11)),
        ),
        (
            "slack-webhook",
            format!(
                "https://hooks.slack.com/{}/T{}/B{}/{}",
                "services",
                letters(8, 1),
                letters(8, 2),
                letters(24, 12)
            ),
        ),
        ("telegram-token", format!("{}:{}{}", "1234567890", "AA", letters(33, 24))),
        (
            "discord-webhook",
            format!(
                "https://discord.com/api/{}/{}/{}",
                "webhooks",
                "123456789012345678",
                letters(68, 25)
            ),
        ),
        (
            "discord-token",
            format!("bot.run('M{}.{}.{}')", letters(25, 26), letters(6, 27), letters(38, 28)),
        ),
    ]
}

/// Keys of other services.
fn services() -> Vec<Fake> {
    vec![
        ("stripe-key", format!("{}_live_{}", "sk", letters(24, 13))),
        ("webhook-secret", format!("{}_{}", "whsec", letters(32, 13))),
        ("openai-key", format!("{}-{}", "sk", letters(48, 14))),
        ("openai-key", format!("{}-proj-{}", "sk", letters(120, 15))),
        ("anthropic-key", format!("{}-ant-api03-{}AA", "sk", letters(93, 16))),
        ("huggingface-token", format!("{}_{}", "hf", letters(34, 17))),
        ("groq-key", format!("{}_{}", "gsk", letters(52, 17))),
        ("pypi-token", format!("{}-AgEIcHlwaS5vcmc{}", "pypi", letters(120, 18))),
        ("npm-token", format!("{}_{}", "npm", letters(36, 19))),
        ("docker-token", format!("{}_{}", "dckr_pat", letters(27, 20))),
        ("sendgrid-key", format!("{}.{}.{}", "SG", letters(22, 21), letters(43, 22))),
        ("twilio-key", format!("{}{}", "SK", hex(32, 23))),
        ("databricks-token", format!("{}{}", "dapi", hex(32, 29))),
        ("digitalocean-token", format!("{}_v1_{}", "dop", hex(64, 30))),
        (
            "heroku-key",
            format!(
                "HEROKU_API_KEY={}-{}-{}-{}-{}",
                hex(8, 1),
                hex(4, 2),
                hex(4, 3),
                hex(4, 4),
                hex(12, 5)
            ),
        ),
    ]
}

/// Tokens and private keys in formats that many programs share.
fn keys() -> Vec<Fake> {
    vec![
        (
            "jwt",
            format!(
                "{}.{}.{}",
                "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9",
                "eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkFkYSJ9",
                letters(43, 31)
            ),
        ),
        ("private-key", pem("RSA ")),
        ("private-key", pem("OPENSSH ")),
        ("private-key", pem("").replace('\n', "\\n")),
        ("age-key", format!("{}-1{}", "AGE-SECRET-KEY", noise(CAPITALS, 58, 32))),
    ]
}

/// Passwords and keys told by what stands before them.
fn passwords() -> Vec<Fake> {
    vec![
        ("database-url", format!("postgresql://ada:{}@db.internal:5432/sales", "hunter2x")),
        (
            "database-url",
            format!("create_engine('mysql+pymysql://root:{}@localhost/x')", "s3cr3t-pw"),
        ),
        ("database-url", format!("redis://:{}@cache:6379/0", letters(20, 33))),
        ("url-password", format!("https://ada:{}@example.org/feed", "hunter2pw")),
        ("bearer-token", format!("Authorization: Bearer {}", letters(40, 34))),
        ("basic-auth", format!("'Authorization': 'Basic {}'", "YWRhOmh1bnRlcjI6eHl6")),
        ("password", format!("password = \"{}\"", "hunter2-Battery9")),
        ("password", format!("connect(user='ada', passwd='{}')", "Tr0ub4dor&3")),
        ("password", format!("{{\"db_password\": \"{}\"}}", letters(14, 35))),
        ("password", format!("export PGPASSWORD={}\n", "q7Wn-22xkLp")),
        ("api-key", format!("client = Client(api_key='{}')", letters(32, 36))),
        ("api-key", format!("OPENWEATHER_API_KEY={}\n", hex(32, 37))),
        ("api-key", format!("{{\"client_secret\": \"{}\"}}", letters(40, 38))),
        ("api-key", format!("headers={{'X-Api-Key': '{}'}}", letters(24, 39))),
    ]
}

fn innocents() -> Vec<String> {
    let (hex, letters) = (hex(64, 40), letters(6000, 41));
    let long = |length: usize| letters.chars().take(length).collect::<String>();
    let start = |length: usize| hex.chars().take(length).collect::<String>();
    vec![
        format!("<script integrity=\"sha384-{}\" src=a.js></script>", long(64)),
        format!("<img src=\"data:image/png;base64,{}\">", long(6000)),
        format!("{}AKIA{}{}", long(300), noise(CAPITALS, 16, 1), long(300)),
        "550e8400-e29b-41d4-a716-446655440000".to_owned(),
        format!("commit {}", start(40)),
        format!("\"resolved\": \"https://registry.npmjs.org/a/-/a-1.0.0.tgz\", \"integrity\": \"sha512-{}==\"", long(86)),
        format!("Flask==3.0.0 --hash=sha256:{hex}"),
        format!("{{\"data\":[{{\"type\":\"scatter\",\"x\":{{\"dtype\":\"f8\",\"bdata\":\"{}\"}}}}]}}", long(2000)),
        "#ff8800 #123456 rgb(1,2,3)".to_owned(),
        "lorem ipsum dolor sit amet, the secret of a token is its password".to_owned(),
        "tokenizer = AutoTokenizer.from_pretrained('bert-base-uncased')".to_owned(),
        "token = 'sentence-transformers-all-minilm-l6-v2'".to_owned(),
        "password = getpass.getpass('Password: ')".to_owned(),
        "password = os.environ['DATABASE_PASSWORD']".to_owned(),
        "api_key = os.getenv(\"OPENAI_API_KEY\")".to_owned(),
        "api_key=\"YOUR_API_KEY_GOES_HERE_1234\"".to_owned(),
        "api_key = userdata.get('OPENAI_API_KEY_2024')".to_owned(),
        "postgresql://user:password@localhost:5432/db".to_owned(),
        "postgresql://${USER}:${PASSWORD}@db/x mysql://{user}:{password}@{host}/x".to_owned(),
        "https://example.org:8080/a@b https://medium.com/@ada/post-1234567890ab".to_owned(),
        "https://github.com/a/b/blob/main/README.md?token=".to_owned(),
        "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A\n-----END PUBLIC KEY-----".to_owned(),
        "starts with -----BEGIN RSA PRIVATE KEY----- and ends with -----END".to_owned(),
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ7kd0q9Qy ada@example".to_owned(),
        "!function(e,t){\"object\"==typeof exports?t(exports):t(e.token={})}(this,function(e){e.password=e.x||\"\"});".to_owned(),
        "df['token_count'] = df['text'].apply(len)  # token: number of words".to_owned(),
        "pad_token='[PAD]', eos_token='<|endoftext|>', unk_token='[UNK]'".to_owned(),
        "the bearer of this letter; Bearer authentication is explained at length here".to_owned(),
        "task-specific risk-adjusted disk-based mask-rcnn-inception-resnet".to_owned(),
        "<input type=\"password\" name=\"password\" id=\"password-field\">".to_owned(),
        "random_state=42, key=lambda it: it.secret, sort_key='value'".to_owned(),
        format!("{{\"cell_id\": \"{}\", \"model_id\": \"{}\"}}", start(32), start(32)),
        "Password: ········".to_owned(),
        "password=\"**********\" secret: <redacted>".to_owned(),
        "https://example.org/?utm_source=x&sig=1&token=abc".to_owned(),
        format!("etag: \"{}\", md5: {}", start(32), start(32)),
        "eyJhIjoxfQ is base64 of a small object".to_owned(),
        "Tokens: 1234567890, cost: 0.0012345678901234".to_owned(),
        "git@github.com:ada/engine.git ssh://git@host.example/x".to_owned(),
        "max_token_length_v2 = secret_santa_2024_assignments".to_owned(),
    ]
}

#[test]
fn fake_secrets_are_found_by_their_rule() {
    let fakes = fakes();
    let missed: Vec<_> = fakes
        .iter()
        .filter(|(rule, text)| {
            !found(&format!("see {text} there")).iter().any(|it| it.rule == *rule)
        })
        .map(|(rule, text)| (rule, text, found(text)))
        .collect();
    assert!(missed.is_empty(), "{} of {}: {missed:#?}", missed.len(), fakes.len());
    assert!(fakes.len() >= 50);
}

#[test]
fn innocents_are_left_alone() {
    let innocents = innocents();
    let alarms: Vec<_> =
        innocents.iter().map(|it| (it, found(it))).filter(|it| !it.1.is_empty()).collect();
    assert!(alarms.is_empty(), "{alarms:#?}");
    assert!(innocents.len() >= 40);
}

#[test]
fn every_rule_has_a_name_of_its_own_and_a_pattern_that_compiles() {
    let mut names: Vec<&str> = RULES.iter().map(|it| it.id).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), RULES.len());
    for rule in RULES {
        let built = regex::bytes::RegexBuilder::new(rule.pattern).unicode(false).build();
        assert!(built.is_ok(), "{}: {built:?}", rule.id);
        assert!(built.unwrap().captures_len() > 1, "{}", rule.id);
        let is_small = |it: &&str| **it == it.to_ascii_lowercase();
        assert!(rule.keywords.iter().all(is_small), "{}", rule.id);
    }
}

#[test]
fn many_keywords_cost_one_pass() {
    let text = "token password :// bearer secret sk- ".repeat(20_000);
    assert!(found(&text).is_empty());
}
