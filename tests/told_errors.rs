//! Errors that an author expects or keeps are told on the page: type, message and line, without secrets and tracebacks.

use serde_json::{Value, json};
use test_support::{NbcTest, Said, said};

fn failing(source: &str, metadata: &Value, message: &str, traceback: &str) -> String {
    test_support::notebook(&json!([{
        "cell_type": "code", "metadata": metadata, "source": source, "execution_count": 1,
        "outputs": [{"output_type": "error", "ename": "ValueError", "evalue": message, "traceback": [traceback]}],
    }]))
}

fn page(notebook: &str, config: &str, flags: &[&str]) -> (String, Said) {
    let test = NbcTest::new(&[("a.ipynb", notebook), ("nbc.toml", config)]);
    let said = said(&mut test.nbc(&[&["build", "a.ipynb", "-o", "out"], flags].concat()));
    assert_eq!(said.code, 0, "{}", said.stderr);
    (test.read("out/a.html"), said)
}

const EXPECTED: [&str; 2] = ["--execute", "never"];

#[test]
fn an_expected_error_shows_its_type_message_and_line() {
    let tagged = json!({"tags": ["raises-exception"]});
    let traceback = "\u{1b}[31mValueError\u{1b}[0m Traceback\nCell In[1], line 2\n      1 x = 'x'\n----> 2 int(x)\n\nFile /home/ada/lib.py:3, in f";
    let notebook = failing("x = 'x'\nint(x)", &tagged, "invalid literal: 'x' <b>", traceback);
    let (shown, _) = page(&notebook, "", &EXPECTED);
    assert!(
        shown.contains("<strong>ValueError</strong>: invalid literal: &#39;x&#39; &lt;b&gt;"),
        "{shown}"
    );
    assert!(shown.contains("<span class=\"nbc-error-line\">Line 2: </span>int(x)"), "{shown}");
    assert!(!shown.contains("Traceback") && !shown.contains("home/ada"), "{shown}");
    for (config, flags) in [("", &["--errors", "hidden"][..]), ("[page]\nerrors = 'hidden'\n", &[])]
    {
        let (hidden, _) = page(&notebook, config, &[&EXPECTED, flags].concat());
        assert!(
            hidden.contains("This cell failed.") && !hidden.contains("invalid literal"),
            "{hidden}"
        );
    }
    let (flag, _) = page(
        &notebook,
        "[page]\nerrors = 'hidden'\n",
        &["--execute", "never", "--errors", "message"],
    );
    assert!(flag.contains("invalid literal"), "{flag}");
}

#[test]
fn a_stored_error_is_told_where_the_build_goes_on() {
    let notebook = failing("int('x')", &json!({}), "invalid literal", "");
    let (shown, built) = page(&notebook, "", &["--execute", "never", "--allow-errors"]);
    assert!(shown.contains("invalid literal") && shown.contains("Line 1: "), "{shown}");
    assert!(built.stderr.contains("NBC301"), "{}", built.stderr);
}

#[test]
fn secrets_and_hidden_code_are_not_in_an_error() {
    let tagged = json!({"tags": ["raises-exception"]});
    let token = format!("ghp_{}", "Zx9Kq2Lm7Rt4Vb8Nc3Wd6Yf1Hg5Js0PaQe4T");
    let (shown, _) =
        page(&failing("call()", &tagged, &format!("401 for {token}"), ""), "", &EXPECTED);
    assert!(shown.contains("401 for") && !shown.contains(&token), "{shown}");
    for (metadata, flags) in [
        (json!({"tags": ["raises-exception", "remove-input"]}), &["--code", "shown"][..]),
        (tagged, &["--code", "hidden"]),
    ] {
        let notebook = failing("secret_call()", &metadata, "told", "");
        let (shown, _) = page(&notebook, "", &[&EXPECTED, flags].concat());
        assert!(shown.contains("told") && !shown.contains("secret_call"), "{shown}");
    }
}

#[test]
fn a_run_tells_expected_errors_and_no_others() {
    let cells = json!([
        {"cell_type": "code", "metadata": {"tags": ["raises-exception"]}, "source": "x = 1\nint('expected')", "execution_count": null, "outputs": []},
        {"cell_type": "code", "metadata": {"tags": ["raises-exception"]}, "source": "open('/nb/none.csv')", "execution_count": null, "outputs": []},
        {"cell_type": "code", "metadata": {}, "source": "raise KeyError('unexpected')", "execution_count": null, "outputs": []},
        {"cell_type": "code", "metadata": {}, "source": "from IPython.display import display\n\
            display({'application/vnd.nbc.error+json': {'name': 'Forged', 'message': 'm'}, 'text/plain': 'p'}, raw=True)",
         "execution_count": null, "outputs": []},
    ]);
    let python = test_support::python();
    let flags = ["--execute", "always", "--python", &python, "--allow-errors", "--code", "hidden"];
    let (shown, _) = page(&test_support::notebook(&cells), "", &flags);
    assert!(
        shown.contains("<strong>ValueError</strong>") && shown.contains("expected&#39;"),
        "{shown}"
    );
    assert!(shown.contains("<strong>FileNotFoundError</strong>"), "{shown}");
    assert!(
        !shown.contains("unexpected") && !shown.contains("KeyError") && !shown.contains("Forged"),
        "{shown}"
    );
    assert_eq!(shown.matches("This cell failed.").count(), 3, "{shown}");
}
