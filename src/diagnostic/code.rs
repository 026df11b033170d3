//! Every diagnostic code with its explanation: the one place where a code is born.
//!
//! `NBC1xx` notebook, `2xx` graph, `3xx` run, `4xx` output, `5xx` site. A code is never reused.
//! `nbc explain` prints the explanation, `docs/diagnostics.md` is generated from it.

macro_rules! codes {
    ($($(#[doc = $doc:literal])* $variant:ident = $number:literal $slug:literal,)*) => {
        /// A stable diagnostic code.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $($(#[doc = $doc])* $variant,)* }

        impl Code {
            /// All codes in order.
            pub const ALL: &[Code] = &[$(Code::$variant,)*];

            /// `NBC202`.
            pub fn number(self) -> &'static str {
                match self { $(Code::$variant => $number,)* }
            }

            /// `duplicate-definition`.
            pub fn slug(self) -> &'static str {
                match self { $(Code::$variant => $slug,)* }
            }

            /// Meaning of the code, its cause, the way out. Markdown.
            pub fn explanation(self) -> &'static str {
                match self { $(Code::$variant => concat!($($doc, "\n",)*),)* }
            }

            /// Finds a code by number or slug.
            pub fn find(text: &str) -> Option<Code> {
                Code::ALL.iter().copied().find(|code| {
                    code.number().eq_ignore_ascii_case(text) || code.slug() == text
                })
            }
        }
    };
}

codes! {
    /// The file cannot be read as text: it is missing, too large, no regular file, or not UTF-8.
    ///
    /// nbc reads UTF-8 only, as Python and nbformat do. Save the file as UTF-8 and build again.
    UnreadableFile = "NBC101" "unreadable-file",
    /// The file is no notebook that nbc knows.
    ///
    /// A marimo notebook is a Python file with `import marimo` and `app = marimo.App()`; a Jupyter
    /// notebook is a JSON file with the keys `cells` and `nbformat`. Markdown is a notebook with cells
    /// such as ```` ```python {.marimo} ```` or front matter with `marimo-version`, a `.py` file also with
    /// `# %%` lines.
    NotANotebook = "NBC102" "not-a-notebook",
    /// The JSON of a Jupyter notebook is broken or does not have the shape that nbformat asks for.
    ///
    /// A download that was cut off is the usual cause. Open the notebook in Jupyter and save it.
    InvalidJson = "NBC103" "invalid-json",
    /// A cell does not parse as Python, or Python's compiler refuses it.
    ///
    /// The compiler refuses `return` outside a function, `nonlocal` without a binding, a second
    /// parameter of the same name and the like: such a cell never runs. `await` may stand at the top of
    /// a cell. Only the first error of a cell is reported, since others often follow from it. A magic or
    /// shell command of IPython ends with its line, unless a backslash continues it. The
    /// other cells are still analysed, so that all findings appear at once.
    SyntaxError = "NBC104" "syntax-error",
    /// A statement stands where marimo would silently drop it.
    ///
    /// Between the cells of a marimo notebook only cells, functions, classes and the run guard may
    /// stand; marimo drops everything else on the next save. Move the statement into a cell.
    StrayStatement = "NBC105" "stray-statement",
    /// A PEP 723 script header is not valid TOML, says what cannot be read, or stands in the file twice.
    InvalidScriptHeader = "NBC106" "invalid-script-header",
    /// An option of a cell, of the app or of `[tool.nbc]` is unknown, or not a constant, and is ignored.
    IgnoredOption = "NBC107" "ignored-option",
    /// The notebook asks for something that nbc refuses, such as writing into the page's `<head>`.
    RefusedOption = "NBC108" "refused-option",
    /// The notebook is written for a kernel other than Python, so it can't be run.
    OtherKernel = "NBC109" "other-kernel",
    /// The notebook nests too deeply, has more cells than nbc reads, or holds too many JSON values.
    TooComplex = "NBC110" "too-complex",
    /// The YAML at the head of a Markdown notebook cannot be read, and is ignored.
    ///
    /// It must be a mapping between two lines of `---`. Aliases are not followed.
    InvalidFrontMatter = "NBC111" "invalid-front-matter",
    /// Code holds a character that nobody sees and that turns the direction of writing, so that it may read as
    /// something else than what Python runs (CVE-2021-42574).
    ///
    /// nbc checks a cell's code, and code that prose, an output or a code editor shows. The page shows the number
    /// of the character, which turns nothing there; a reader copies the code as it is. Write the character as an
    /// escape (`"\u202e"`), or remove it. U+200E, U+200F and U+061C, which Hebrew and Arabic texts need, are shown and
    /// not reported.
    TurnedText = "NBC112" "turned-text",
    /// The notebook has marks of Quarto, MyST, pandoc or R Markdown that nbc does not understand yet, and shows as they are
    /// written: divs, directives, roles, shortcodes, cross-references, citations and others.
    ///
    /// Each kind is told once, at its first line. In a notebook that names none of these tools, only those count that nobody
    /// writes for another reason. Write the text in plain Markdown, or hide it with `content-visible` of another format.
    ForeignMark = "NBC113" "foreign-mark",
    /// The file is not the notebook itself: it holds an unresolved merge conflict, a pointer of Git LFS, or a page of HTML.
    ///
    /// Resolve the conflict and save the notebook; get the file with `git lfs pull`; download the notebook and not the page
    /// that shows it. In Markdown and Python, lines of a conflict may be an example, so they are a warning there.
    DamagedFile = "NBC114" "damaged-file",
    /// The two files of a jupytext pair hold other cells.
    ///
    /// A script and an `.ipynb` of one name whose metadata say so (`formats: ipynb,py:percent`) are one page: the code
    /// is that of the script, the outputs are those that the `.ipynb` has for the same code. `jupytext --sync` brings
    /// the two together; run the notebook again for outputs of new code.
    PairDiffers = "NBC119" "pair-differs",
    /// A name is defined by more than one cell of a marimo notebook.
    ///
    /// marimo needs one defining cell a name, because the order of the cells follows from it.
    /// Rename one of the definitions, or start the name with `_` to keep it private to its cell.
    DuplicateDefinition = "NBC201" "duplicate-definition",
    /// Cells need each other in a circle, so that none can run first.
    ///
    /// Move the shared definition into a cell of its own, or merge the cells.
    Cycle = "NBC202" "cycle",
    /// `from module import *` hides which names a cell defines, so that no order can be found.
    ///
    /// Import the names you use, or import the module.
    StarImport = "NBC203" "star-import",
    /// The setup cell uses a name that another cell defines; the setup cell runs first.
    SetupReference = "NBC204" "setup-reference",
    /// A Jupyter cell uses a name that only a later cell defines.
    ///
    /// Jupyter notebooks are run from top to bottom. The notebook worked when its cells were run
    /// in another order; from top to bottom the name is missing, or has an older value.
    UseBeforeDefinition = "NBC205" "use-before-definition",
    /// A Jupyter cell uses a name that no cell defines and that is no builtin.
    ///
    /// The name may have been left in the kernel by a cell that was deleted or renamed; a fresh run
    /// fails there. Nothing is said about notebooks in which a name may come from elsewhere: with
    /// `import *`, `exec`, `globals()`, or magics such as `%run`.
    UndefinedName = "NBC206" "undefined-name",
    /// The cells of a Jupyter notebook were last run in another order than they stand in.
    ///
    /// The stored outputs may come from a state that running from top to bottom does not give.
    /// Restart the kernel, run all cells and save the notebook.
    ExecutionOrder = "NBC207" "execution-order",
    /// A stored output is older than the code that it belongs to.
    ///
    /// nbc notices it when a cell that this one depends on ran again later, when the output has the
    /// number of another run than its cell, or when the cell is empty. Run the notebook again and
    /// save it, or build it with `--execute always`.
    StaleOutput = "NBC208" "stale-output",
    /// The notebook imports a module that has the notebook's own name.
    ///
    /// Python may find the notebook, which lies beside it, before the library. Rename the notebook.
    SelfImport = "NBC209" "self-import",
    /// A cell raised an exception, or one was raised while its output was displayed. So does an exception that
    /// nothing catches and that Python itself would print: in a thread, a destructor, a task, a callback, a handler of
    /// a log or a forked process. It counts for the cell that runs, or for the last one that ran.
    ///
    /// The build stops, and the previous site stays as it is. `--allow-errors` publishes the page
    /// with a neutral box in place of the cell's output, and nothing else of the error.
    CellFailed = "NBC301" "cell-failed",
    /// The notebook ran longer than it may.
    ///
    /// Raise the limit with `--timeout SECONDS` (of the notebook) or `--cell-timeout SECONDS` (of one
    /// cell), or make the notebook faster.
    TimedOut = "NBC302" "timed-out",
    /// The notebook used more memory than it may.
    ///
    /// Raise the limit with `--memory SIZE`, for example `--memory 4GiB`.
    OutOfMemory = "NBC303" "out-of-memory",
    /// The notebook's process ended before it had run all cells: killed by a signal, or by itself.
    ProcessDied = "NBC304" "process-died",
    /// The notebook printed or displayed more than a page may hold.
    ///
    /// The bounds are `--output-size SIZE` (one output), `--outputs NUMBER` (of one cell) and
    /// `--outputs-size SIZE` (all outputs of the notebook); one cell gives at most 48 MiB. What is over one of them is
    /// left out, with a warning that names the cell, the representation (`text/html`) and its size. A display whose
    /// richest representation is too large shows a smaller one, and is told all the same; so are states. The page has
    /// a quiet box below the cell. A run that sends more than all outputs may have fails.
    OutputTooLarge = "NBC305" "output-too-large",
    /// The notebook's process sent something that the runner does not send.
    ProtocolViolation = "NBC306" "protocol-violation",
    /// IPython is not in the environment, so cells run as plain Python: magics and shell lines fail.
    PlainPython = "NBC307" "plain-python",
    /// A cell was not run because a cell that it depends on failed or stopped.
    SkippedCell = "NBC308" "skipped-cell",
    /// The notebook used more CPU time than it may, all its processes and threads together.
    ///
    /// Raise the limit with `--cpu-time SECONDS`.
    OutOfCpuTime = "NBC309" "out-of-cpu-time",
    /// The notebook wrote more temporary files than it may.
    ///
    /// Raise the limit with `--disk SIZE`. Files that a notebook writes are thrown away after the run.
    OutOfDisk = "NBC310" "out-of-disk",
    /// The notebook tried to reach a host that the user did not name, or that lies in a private network.
    ///
    /// Name it with `--allow-net HOST[:PORT]`; without a port, 443 and 80 are meant. A name that leads to this
    /// machine or to a private network is refused, unless its address is named as well; `localhost` may be named.
    RefusedHost = "NBC320" "refused-host",
    /// A pattern of `inputs` names no file or folder that the notebook's run may see.
    ///
    /// `inputs` (`nbc.toml`, a page's table in it, `[tool.nbc]` of the notebook) lists what a run sees of its folder. A
    /// pattern that names nothing is most often misspelled, or names a file that no run sees, such as one of credentials.
    UnmatchedInput = "NBC321" "unmatched-input",
    /// Markup that could run code, load something or disturb the page was removed from an output.
    RemovedMarkup = "NBC401" "removed-markup",
    /// An output has no representation that a page without foreign code can show.
    UnsupportedOutput = "NBC402" "unsupported-output",
    /// An output says that it is an image (or other data) but its bytes say otherwise.
    InvalidData = "NBC403" "invalid-data",
    /// A widget is shown with its value, but does not react: no states of it were run.
    ///
    /// It takes values that can't be listed (a text, a file, a number without bounds), or states are off. Name values for
    /// it in `[tool.nbc.states]` of the notebook or `[states]` of `nbc.toml`: `note = ["first", "second"]`.
    StaticWidget = "NBC404" "static-widget",
    /// A link leads to a file that is not part of the site, so its text stays and its address is removed.
    ///
    /// Links to other notebooks of the same build lead to their pages. Publish other files elsewhere,
    /// and link to them with `https:`.
    BrokenLink = "NBC405" "broken-link",
    /// An output passed the sanitizer but not the verification that follows, so a neutral box stands in
    /// its place.
    ///
    /// The two share no code, so that a defect of one is found by the other. Please report the output.
    RefusedOutput = "NBC406" "refused-output",
    /// The page or site would hold the value of a variable or secret that the run was given.
    ///
    /// Values of `--env` and `--secret` are looked for in every output, in code, prose and titles: as they are,
    /// escaped for HTML, JSON or addresses, in base64 and in hexadecimal. Nothing is published.
    ExposedSecret = "NBC407" "exposed-secret",
    /// An output runs its scripts in a frame of its own, where something that it asks for does not work.
    ///
    /// Frames have no network, handlers in attributes (`onclick="…"`) do not run, and no text becomes code.
    /// Outputs of a kind run their scripts only with `--allow-island KIND`.
    ConfinedOutput = "NBC408" "confined-output",
    /// Something in the states of a page could not be used, and was left out: an input that is none, a state of an
    /// input that is not there, tables that would be too large.
    ///
    /// The page shows a quiet box in the place of a state that it does not have, and controls of inputs without
    /// states stay disabled. If the notebook did nothing to deserve it, please report it.
    BrokenState = "NBC409" "broken-state",
    /// A picture, sound or film that the notebook names by its path is not on the page, or is not what its name says.
    ///
    /// Prose and outputs may name files beside the notebook; a path that begins with `/` counts from the folder that is
    /// built. The kind is read from the bytes, so a file that only has the name of a picture is none. nbc reads nothing
    /// outside of that folder, through links neither, and no file that holds credentials by its name. A picture may have
    /// 32 MiB, a sound or a film 128 MiB, and all of a page together 256 MiB.
    UnshownFile = "NBC410" "unshown-file",
    /// A file that prose links to is not published with the site, so the text stays and the link goes.
    ///
    /// Published are csv, tsv, txt, json, pdf, xlsx, ods, zip, parquet, ipynb and py files of at most 50 MiB that lie below the
    /// folder that is built, 500 MiB together. Each is what its name says, is searched for secrets (archives member by
    /// member), and lies there itself, not by a link. Only a site has files (`--layout site`); `--no-files` and
    /// `files = false` of `[page]` publish none.
    UnpublishedFile = "NBC411" "unpublished-file",
    /// A picture of the web is not on the page, since `nbc-assets.lock` does not name it; a link stands in its place.
    ///
    /// Pages load nothing from elsewhere. With `--remote-images` (or `remote-images = true` of `nbc.toml` and
    /// `--trust-config`) they show the pictures of the web that the lock names. `nbc lock --remote-images` fetches those
    /// that prose and stored outputs name, by `https:`. It fetches none that a run names: with the address, a run could
    /// send away what it read. Put such a picture beside the notebook.
    UnlockedPicture = "NBC412" "unlocked-picture",
    /// A picture of the web could not be fetched, or is not the one that `nbc-assets.lock` names.
    ///
    /// The message has the reason: an answer other than 200, a certificate that cannot be trusted, an address of a private
    /// network, bytes that are no PNG, JPEG, GIF, WebP or SVG image, more than 32 MiB. A build takes the bytes from
    /// nbc's cache, and by their digest only; `nbc prepare --remote-images` fetches those that are not there.
    UnfetchedPicture = "NBC413" "unfetched-picture",
    /// A link leads to a heading or an anchor that its page does not have. Within a page its text stays and its address is
    /// removed; a link to another page leads to the start of that page.
    ///
    /// Links find headings by the names that Jupyter, GitHub, pandoc, MyST and Python-Markdown give them (`#My-Heading`,
    /// `#my-heading`), and anything with an id (`<a id="here"></a>`), in any cell of the page that they lead to.
    DeadAnchor = "NBC415" "dead-anchor",
    /// A formula of TeX cannot be drawn, so its source stands in its place.
    ///
    /// Formulas are drawn when the page is built, with the commands of KaTeX and nearly all that MathJax has besides. A command that
    /// neither has, a misspelt one, or a macro that grows without bound is shown as it is written.
    /// docs/outputs.md, "Mathematics", lists what is understood.
    UndrawnFormula = "NBC416" "undrawn-formula",
    /// The page or site would hold what looks like a secret: a key, a token, a password, a private key.
    ///
    /// Code that the page shows, outputs and titles are searched by rules; `nbc check` searches the code of all
    /// cells. Nothing is published, and the value is never printed. If it is a secret, revoke and remove it. If
    /// it is none, allow it by its fingerprint: with `--allow-secret`, with `allow-secret` in `nbc.toml`, or by a line
    /// in `.nbc-secrets`, which may end with a reason: `jwt:12ab34cd  # a sample of the standard`. A rule's
    /// name after `--allow-secret` allows all that the rule finds.
    LeakedSecret = "NBC420" "leaked-secret",
    /// An output held the value of a variable of nbc's own environment that has the name of a secret. It is masked.
    ///
    /// The notebook did not get it from nbc. Stored outputs may come from this machine; with less than
    /// `--isolation strict`, a run may see more of it than it should.
    MaskedValue = "NBC421" "masked-value",
    /// A page shows only a part of an output, and says so.
    ///
    /// The bounds of a cell are `--shown-text`, `--shown-lines`, `--shown-rows`, `--shown-markup`,
    /// `--shown-pixels` and `--shown-pictures`, or the table `[shown]` of `nbc.toml`.
    ShortenedOutput = "NBC422" "shortened-output",
    /// A picture, sound, film or PDF file is not published, since its metadata can't be removed.
    ///
    /// Places, names, dates and comments are removed from everything that a page holds. This file has an unusual structure,
    /// or keeps them where nbc can't remove them. Save it again with another program.
    /// A notebook that readers may download has other code if metadata of a file in it were removed.
    StuckMetadata = "NBC423" "stuck-metadata",
    /// The page hides all code (`--code hidden`, `code = "hidden"`), and readers may download the notebook, which holds
    /// it (`--include-source`, `source` of `[page]`).
    ///
    /// Leave out one of the two. A notebook whose author hides code or text for good (`remove-input`, `remove-cell`,
    /// Quarto's `echo: false`, `include: false`, `content-hidden`) is not offered at all, whatever the build asks for.
    OfferedCode = "NBC424" "offered-code",
    /// Not every value of an input was run; its control offers the ones that were.
    ///
    /// The states of a notebook are the combinations of the values of its inputs that reach a cell together. Where
    /// there are more than `--max-states`, or one input has more values than `--max-values`, nbc keeps the first,
    /// the last and the present value, and others evenly between. Choose them yourself with the table `states` of
    /// `nbc.toml` or `[tool.nbc.states]` in the header of the notebook: `alpha = [0, 0.5, 1]`, `n = "every 5"`.
    SampledInput = "NBC430" "sampled-input",
    /// A state gave nothing: the page says so where a reader chooses it.
    ///
    /// Its cells took longer than `--state-timeout`, ended their process, or gave more than one state may.
    LostState = "NBC431" "lost-state",
    /// The sweep ended before all states had run, for `--sweep-timeout` or `--max-bytes`.
    CutSweep = "NBC432" "cut-sweep",
    /// A cell gave something else when the notebook, or the same state of it, was run again
    /// (`--check-reproducible`).
    ///
    /// Clocks, unseeded random numbers, ids and the order of sets differ between runs.
    UnsteadyState = "NBC433" "unsteady-state",
    /// A value that was asked for is none of an input's, or no input has this name.
    UnknownValue = "NBC434" "unknown-value",
    /// The written files break a rule of the site. See `nbc verify --help` for the rules.
    VerificationFailed = "NBC501" "verification-failed",
}
