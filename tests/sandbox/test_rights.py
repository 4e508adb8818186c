"""The rights that a rule asks for."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_workflow_exec.model import is_injection
from pytest_workflow_exec.sandbox._rights import rights_problems
from pytest_workflow_exec.settings import RuleSettings


@pytest.mark.parametrize(
    "name",
    [
        "LD_PRELOAD", "LD_LIBRARY_PATH", "DYLD_INSERT_LIBRARIES", "GIT_DIR", "GIT_EXTERNAL_DIFF", "GIT_PAGER",
        "PYTHONHOME", "PYTHONWARNINGS", "PYTHONPATH", "PERL5OPT", "PERL5LIB", "RUBYOPT", "NODE_OPTIONS", "BASH_ENV",
        "ENV", "IFS", "PS4", "SHELLOPTS", "BASH_FUNC_ls", "PATH", "HOME", "TMPDIR", "TAR_OPTIONS", "GREP_OPTIONS",
        "JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "MAVEN_OPTS", "EDITOR", "VISUAL", "PAGER", "MANPAGER", "LESSOPEN",
        "TERMINFO", "PYTEST_ADDOPTS", "PYTEST_PLUGINS", "MAKEFLAGS", "BROWSER", "RIPGREP_CONFIG_PATH", "ld_preload",
        "LUA_INIT", "LUA_INIT_5_4", "GCONV_PATH", "OPENSSL_CONF", "RUSTC_WRAPPER", "SSH_ASKPASS", "PROMPT_COMMAND",
        "WORKFLOW_EXEC_COMMAND", "VIRTUAL_ENV", "XDG_CONFIG_HOME", "KUBECONFIG", "PIP_CONFIG_FILE", "NPM_CONFIG_SCRIPT_SHELL",
        "RUSTFLAGS", "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER", "GOFLAGS", "CC", "RSYNC_RSH", "SVN_SSH", "KRB5_CONFIG",
        "ANSIBLE_LIBRARY", "AWS_CONFIG_FILE", "JULIA_LOAD_PATH", "TCLLIBPATH", "GTK_MODULES", "_RLD_LIST", "NULLCMD",
        "CFLAGS", "LDFLAGS", "CGO_CFLAGS", "CARGO_BUILD_RUSTC", "CARGO_ALIAS_B", "GOCACHEPROG", "CMAKE_C_COMPILER_LAUNCHER",
        "R_LIBS_USER", "MONO_PATH", "COMPlus_Profiler", "SWIFT_EXEC", "LIBCLANG_PATH", "NIX_PATH", "CUDA_INJECTION64_PATH",
        "OMP_TOOL_LIBRARIES", "SDL_DYNAMIC_API", "GIO_MODULE_DIR", "GST_PLUGIN_SCANNER", "TRITON_CACHE_DIR", "VALGRIND_LIB",
        "MAGICK_CODER_MODULE_PATH", "APT_CONFIG", "MYPY_CONFIG_FILE", "PYENV_VERSION", "AIRFLOW__CORE__DAGS_FOLDER",
        "JUPYTER_PATH", "GUNICORN_CMD_ARGS", "AUTOCONF", "TEXMFCNF", "shell_escape", "openout_any",
        "ASAN_SYMBOLIZER_PATH", "SSH_SK_HELPER", "UV_PYTHON", "KUBECTL_EXTERNAL_DIFF", "QT_QPA_PLATFORM_PLUGIN_PATH",
        "RUSTUP_TOOLCHAIN", "DOTNET_ROOT", "MSBuildSDKsPath", "CAML_LD_LIBRARY_PATH", "GHC_PACKAGE_PATH", "STACK_YAML", "HOSTCC",
        "COMSPEC", "PROTOC", "QEMU_LD_PREFIX", "CHROME_PATH", "PUPPETEER_EXECUTABLE_PATH", "TS_NODE_PROJECT", "BAT_CONFIG_PATH",
        "CONTAINERS_CONF", "OMPI_MCA_plm_rsh_agent", "I_MPI_HYDRA_BOOTSTRAP_EXEC", "SPACK_ROOT", "MODULEPATH", "CONDARC",
    ],
)  # fmt: skip
def test_variable_that_chooses_code_is_refused(name: str) -> None:
    """A variable whose value would choose what code runs is granted neither as env nor as a secret."""
    as_env = list(rights_problems(RuleSettings(rule="git", env=(name,))))
    as_secret = list(rights_problems(RuleSettings(rule="git", secrets=(name,))))

    assert len(as_env) == len(as_secret) == 1
    assert repr(name) in as_env[0]


@pytest.mark.parametrize(
    "name",
    [
        "TWINE_PASSWORD",
        "GITHUB_TOKEN",
        "PIP_INDEX_URL",
        "SSH_AUTH_SOCK",
        "SOURCE_DATE_EPOCH",
        "CI",
        "http_proxy",
        "FEATURE_FLAGS",
        "CMAKE_BUILD_TYPE",
        "TOX_ENV",
        "TERM",
        "R_MAX_NUM_DLLS",
        "MAGICK_MEMORY_LIMIT",
        "AIRFLOW_VERSION",
        "DJANGO_SETTINGS_MODULE",
        "MPLBACKEND",
        "OMP_NUM_THREADS",
        "CUDA_VISIBLE_DEVICES",
        "CARGO_INCREMENTAL",
        "DOTNET_CLI_TELEMETRY_OPTOUT",
        "OMPI_COMM_WORLD_RANK",
        "MODULE_NAME",
    ],
)
def test_ordinary_variable_is_granted(name: str) -> None:
    """A variable that carries a plain value can be passed on."""
    assert not is_injection(name)
    assert not list(rights_problems(RuleSettings(rule="git", env=(name,), secrets=(name,))))


@pytest.mark.parametrize(
    "right",
    [
        {"env": ("A B",)},
        {"env": ("",)},
        {"env": ("1A",)},
        {"env": ("A=B",)},
        {"env": ("A\n",)},
        {"env": ("BASH_FUNC_ls%%",)},
        {"secrets": ("É",)},
        {"exec": ("bin/git",)},
        {"exec": ("/usr/bin/../git",)},
        {"exec": ("//usr/bin/git",)},
        {"exec": ("",)},
        {"exec": ("git *",)},
        {"exec": ("any", "git")},
        {"write": ("/etc",)},
        {"write": ("../x",)},
        {"write": ("x/../y",)},
        {"write": ("..",)},
        {"write": ("",)},
        {"write": ("~",)},
        {"write": ("dist/*",)},
        {"write": ("x//y",)},
        {"write": ("a\nb",)},
        {"read": ("/usr/../etc",)},
        {"read": ("../x",)},
        {"read": ("//etc",)},
        {"network": ("443",)},
        {"network": ("*:0",)},
        {"network": ("*:65536",)},
        {"network": ("*:x",)},
        {"network": ("host",)},
        {"network": (":443",)},
        {"network": ("*:443\n",)},
        {"network": ("https://x:443",)},
        {"network": ("*:٤",)},
    ],
)
def test_right_that_can_not_be_granted_is_refused(right: dict[str, Any]) -> None:
    """A right that is not written in its shape is an error that quotes it."""
    problems = list(rights_problems(RuleSettings(rule="git", **right)))

    [name] = right
    assert problems
    assert all(problem.startswith(name) for problem in problems)


def test_rights_in_their_shapes_are_accepted() -> None:
    """Rights that are written in their shapes are no problem."""
    rule = RuleSettings(
        rule="git",
        exec=("git", "/usr/bin/sh"),
        write=("dist", "build/x/", ".git", "."),
        read=("/etc/ssl", "/", "docs"),
        network=("*:443", "example.org:*", "*:*", "[::1]:22", "localhost:65535"),
    )

    assert not list(rights_problems(rule))
    assert not list(rights_problems(RuleSettings(rule="git", exec=("any",))))
