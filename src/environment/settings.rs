//! Whom the user named: the servers in their own settings of pip and uv, which may be anywhere.

use std::collections::BTreeSet;

use camino::Utf8Path;

use crate::process::AllowedHost;
use crate::process::network::is_home;

/// Keys whose values are hosts without a scheme.
const HOSTS: [&str; 3] = ["trusted-host", "allow-insecure-host", "insecure-host"];
/// Names of proxies, in settings and in the environment.
const PROXIES: [&str; 4] = ["proxy", "http-proxy", "https-proxy", "all-proxy"];
/// Servers of the index that pip and uv ask where no setting names another one. They are the user's choice, too: a
/// mirror inside a company's network, or a proxy without settings, may stand at their names.
const DEFAULTS: [&str; 2] = ["pypi.org:443", "files.pythonhosted.org:443"];
/// Longest settings that are read.
const LONGEST: u64 = 1 << 20;

/// Servers and proxies in the settings of pip and uv.
#[derive(Debug, Clone, Default)]
pub(super) struct Settings {
    /// Servers that they name.
    pub(super) servers: Vec<AllowedHost>,
    /// Whether they name a proxy for `http:`.
    pub(super) proxies_http: bool,
    /// Whether they name a proxy for `https:`.
    pub(super) proxies_https: bool,
}

impl Settings {
    /// Of pip, as `pip config list` tells them.
    pub(super) fn of_pip(listed: &str) -> Self {
        let mut found = Self::of_variables("PIP_");
        for line in listed.lines() {
            let Some((key, value)) = line.split_once('=') else { continue };
            let key = key.rsplit('.').next().unwrap_or_default();
            found.add(key, &value.trim_matches(['\'', '"']).replace("\\n", " "));
        }
        found
    }

    /// Of uv: its variables and the files of the user and of the system, not those of a project.
    pub(super) fn of_uv() -> Self {
        let mut found = Self::of_variables("UV_");
        let variable = |name: &str| std::env::var(name).ok().filter(|it| !it.is_empty());
        let home = variable("HOME").map(|it| format!("{it}/.config"));
        let own = variable("XDG_CONFIG_HOME").or(home).map(|it| format!("{it}/uv/uv.toml"));
        let system = ["/etc/xdg/uv/uv.toml", "/etc/uv/uv.toml"].map(str::to_owned);
        for path in variable("UV_CONFIG_FILE").into_iter().chain(own).chain(system) {
            if let Some(value) = toml_of(Utf8Path::new(&path)) {
                found.add_toml("", &value);
            }
        }
        found
    }

    fn of_variables(prefix: &str) -> Self {
        let servers = DEFAULTS.iter().filter_map(|it| it.parse().ok()).collect();
        let mut found = Self { servers, ..Self::default() };
        for (name, value) in std::env::vars_os() {
            let (Some(name), Some(value)) = (name.to_str(), value.to_str()) else { continue };
            if let Some(key) = name.strip_prefix(prefix) {
                found.add(&key.to_ascii_lowercase().replace('_', "-"), value);
            }
            let key = name.to_ascii_lowercase().replace('_', "-");
            if PROXIES.contains(&key.as_str()) {
                found.add(&key, value);
            }
        }
        found
    }

    fn add_toml(&mut self, key: &str, value: &toml::Value) {
        match value {
            toml::Value::String(text) => self.add(key, text),
            toml::Value::Array(values) => values.iter().for_each(|it| self.add_toml(key, it)),
            toml::Value::Table(table) => table.iter().for_each(|(key, it)| self.add_toml(key, it)),
            _ => {}
        }
    }

    fn add(&mut self, key: &str, value: &str) {
        if PROXIES.contains(&key) {
            let is_set = !value.is_empty();
            self.proxies_http |= is_set && key != "https-proxy";
            self.proxies_https |= is_set && key != "http-proxy";
            return;
        }
        let is_host = HOSTS.contains(&key);
        for word in value.split(|it: char| it.is_whitespace() || it == ',') {
            let server = match server(word) {
                Some(server) => server,
                None if is_host => word.parse().ok(),
                None => None,
            };
            self.servers.extend(server);
        }
    }

    /// Whether an address of others names this machine or its network by a number or as `localhost`, and is no server
    /// of the user. Gives the server.
    pub(super) fn refused(&self, url: &str) -> Option<String> {
        let authority = authority(url)?;
        let server = server(url).flatten();
        let is_own =
            server.as_ref().is_some_and(|it| self.servers.iter().any(|own| own.covers(it)));
        let is_refused = !is_own && server.is_none_or(|it| is_home(&it));
        is_refused.then(|| authority.rsplit('@').next().unwrap_or_default().to_owned())
    }

    /// Servers of the user that a list of exceptions to a proxy names: no other server is to be reached without it.
    pub(super) fn exceptions(&self, no_proxy: &str) -> String {
        let patterns: Vec<String> = no_proxy
            .split(|it: char| it == ',' || it.is_whitespace())
            .filter(|it| !it.is_empty())
            .map(|it| it.trim_start_matches('*').trim_start_matches('.').to_ascii_lowercase())
            .collect();
        let is_in = |host: &str, pattern: &str| {
            let before = host.strip_suffix(pattern);
            before.is_some_and(|it| it.is_empty() || it.ends_with('.') || pattern.is_empty())
        };
        let hosts = self.servers.iter().map(AllowedHost::host);
        let hosts = hosts.filter(|host| patterns.iter().any(|it| is_in(host, it)));
        hosts.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(",")
    }
}

/// The host of an address with the port that is asked for; `None` if it is no address of the web, `Some(None)` if its
/// host cannot be read.
fn server(url: &str) -> Option<Option<AllowedHost>> {
    let port = if url.contains("http://") { 80 } else { 443 };
    let host = authority(url)?.rsplit('@').next().unwrap_or_default();
    let own = host.parse::<AllowedHost>().ok();
    Some(own.map(|it| it.with_port(port)))
}

/// The part of an address between the scheme and the path; before the scheme, an index may have a name.
fn authority(url: &str) -> Option<&str> {
    let rest = url.split_once("https://").or_else(|| url.split_once("http://"))?.1;
    Some(rest.split(['/', '?', '#', '\\']).next().unwrap_or_default())
}

fn toml_of(path: &Utf8Path) -> Option<toml::Value> {
    use std::io::Read as _;
    let mut text = String::new();
    let file = fs_err::File::open(path).ok()?;
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    file.take(LONGEST).read_to_string(&mut text).ok()?;
    toml::from_str::<toml::Table>(&text).ok().map(toml::Value::Table)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(listed: &str) -> Settings {
        let mut found = Settings::default();
        for line in listed.lines() {
            let (key, value) = line.split_once('=').unwrap();
            found.add(key, value);
        }
        found
    }

    #[test]
    fn the_servers_of_settings_are_those_that_they_name() {
        let found = settings(
            "index-url=https://u:p@pypi.corp/simple/\nextra-index-url=http://10.0.0.5:8080/a http://b.corp/x\n\
             trusted-host=c.corp:8443 d.corp\nindex=corp=https://e.corp/\nfind-links=/opt/wheels\ncert=/etc/x",
        );
        let servers: Vec<String> = found.servers.iter().map(ToString::to_string).collect();
        let expected =
            ["pypi.corp:443", "10.0.0.5:8080", "b.corp:80", "c.corp:8443", "d.corp", "e.corp:443"];
        assert_eq!(servers, expected);
        let proxies = |listed: &str| {
            let found = settings(listed);
            [found.proxies_http, found.proxies_https]
        };
        for (listed, expected) in [
            ("index-url=https://a.corp", [false; 2]),
            ("proxy=http://p:1", [true; 2]),
            ("all-proxy=http://p:1", [true; 2]),
            ("https-proxy=http://p:1\nno-proxy=x", [false, true]),
            ("http-proxy=", [false; 2]),
        ] {
            assert_eq!(proxies(listed), expected, "{listed}");
        }
        let mut toml = Settings::default();
        let text = "http-proxy = ''\nallow-insecure-host = ['f.corp']\n[[index]]\nurl = 'https://g.corp/simple'\n\
                    [pip]\nindex-url = 'http://127.0.0.1:3141/x'";
        toml.add_toml("", &toml::Value::Table(toml::from_str(text).unwrap()));
        let mut servers: Vec<String> = toml.servers.iter().map(ToString::to_string).collect();
        servers.sort();
        assert_eq!(servers, ["127.0.0.1:3141", "f.corp", "g.corp:443"]);
    }

    #[test]
    fn the_index_that_tools_ask_by_default_is_the_users_own() {
        for found in [Settings::of_pip(""), Settings::of_uv()] {
            for server in ["https://pypi.org/simple/", "https://files.pythonhosted.org/a.whl"] {
                let server = super::server(server).flatten().unwrap();
                assert!(found.servers.iter().any(|own| own.covers(&server)), "{server}");
            }
        }
    }

    #[test]
    fn an_address_of_others_does_not_lead_home() {
        let own = settings("index-url=http://127.0.0.1:3141/simple");
        for url in [
            "http://127.0.0.1/x.whl",
            "http://127.0.0.1:3142/x.whl",
            "https://127.0.0.1/x.whl",
            "http://u:p@169.254.169.254/x.whl",
            "http://localhost:3141/x.whl",
            "http://a.localhost/x.whl",
            "http://[::1]/x.whl",
            "http://[::ffff:10.0.0.1]/x.whl",
            "http://10.1.2.3/x.whl",
            "http://2130706433/x.whl",
            "http://0x7f.1/x.whl",
            "http://127.1/x.whl",
        ] {
            assert!(own.refused(url).is_some(), "{url}");
        }
        assert_eq!(own.refused("http://u:p@10.0.0.1:1/x").as_deref(), Some("10.0.0.1:1"));
        for url in ["http://127.0.0.1:3141/x.whl", "https://example.org/x.whl", "http://1.1.1.1/x"]
        {
            assert_eq!(own.refused(url), None, "{url}");
        }
    }

    #[test]
    fn exceptions_to_a_proxy_are_servers_of_the_user() {
        let own = settings("index-url=https://pypi.corp/simple\nextra-index-url=http://a.other/x");
        for (no_proxy, expected) in [
            ("localhost,127.0.0.1,.corp", "pypi.corp"),
            ("pypi.corp", "pypi.corp"),
            ("*", "a.other,pypi.corp"),
            ("pi.corp", ""),
            ("metadata.internal", ""),
        ] {
            assert_eq!(own.exceptions(no_proxy), expected, "{no_proxy}");
        }
    }
}
