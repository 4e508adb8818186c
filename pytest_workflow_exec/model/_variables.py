"""Environment variables: their names, and those that make a program run other code."""

from __future__ import annotations

from pytest_workflow_exec.lazy_patterns import lazy_pattern

VARIABLE_NAME = lazy_pattern(r"[A-Za-z_][A-Za-z0-9_]*")

# A variable is here if its value names code, a library, a program, options or a configuration file
# that some common program then loads, or if it is one that the engine itself decides.
_INJECTION = lazy_pattern(
    # whole families
    r"(?:LD|DYLD|GLIBC|MALLOC|GIT|PYTEST|WORKFLOW_EXEC|COR|CORECLR)_.*"
    r"|(?:PYTHON|PERL|RUBY|BASH|GCONV|LUA_C?PATH|LUA_INIT|PROXYCHAINS).*"
    # whatever the tool, these suffixes give it options, a program, a wrapper or a library
    r"|(?:CGO_)?[A-Z0-9]*FLAGS|.*_SYMBOLIZER_PATH|.*_PLUGIN_PATH|.*_EXTERNAL_DIFF|.*_OPTIONS|.*_?(?:ADD)?OPTS?|.*_?FLAGS_FROM_ENV|.*_PAGER|.*_EDITOR|.*_ASKPASS|.*_WRAPPER|.*_COMMAND|.*_PRELOAD"
    # shells
    r"|ENV|IFS|PS[0-4]|SHELL|SHELLOPTS|CDPATH|FPATH|ZDOTDIR|GLOBIGNORE|HISTFILE|INPUTRC|PROMPT"
    # programs that others start
    r"|PAGER|MANPAGER|EDITOR|VISUAL|FCEDIT|BROWSER|LESS|LESSOPEN|LESSCLOSE|LESSKEY.*|RSH|CVS_RSH|SUDO_PROMPT"
    # files and folders that others load
    r"|TERMINFO.*|TERMCAP|TERMPATH|LOCPATH|NLSPATH|TZDIR|HOSTALIASES|LOCALDOMAIN|CLASSPATH|NODE_PATH|NODE_EXTRA_CA_CERTS"
    r"|AWKPATH|AWKLIBPATH|PHPRC|PHP_INI_SCAN_DIR|OPENSSL_(?:CONF|MODULES|ENGINES)|RIPGREP_CONFIG_PATH|XDG_CONFIG_.*"
    r"|VIMINIT|EXINIT|MYVIMRC|SSLKEYLOGFILE|DOTNET_STARTUP_HOOKS|ELECTRON_RUN_AS_NODE"
    r"|PATH_LOCALE|_RLD.*|SHLIB_PATH|LDR_.*|LIBPATH|AUTHSTATE|KRB5_(?:CONFIG.*|KTNAME)|(?:VAR|USR|DLC)_ACE|NULLCMD"
    r"|READNULLCMD|TMPPREFIX|GCC_EXEC_PREFIX|COMPILER_PATH|LIBRARY_PATH|(?:C|CPLUS|OBJC)_INCLUDE_PATH|CPATH|TCLLIBPATH"
    r"|R_(?:PROFILE|ENVIRON)(?:_USER)?|JULIA_(?:LOAD_PATH|DEPOT_PATH|PROJECT)|GUILE_LOAD(?:_COMPILED)?_PATH"
    r"|EMACSLOADPATH|ERL_(?:.*FLAGS|LIBS)|OCAMLRUNPARAM|GTK_(?:MODULES|PATH)|QT_PLUGIN_PATH|GIO_EXTRA_MODULES"
    # files in which a tool is told what to run: credential helpers, plugins, wrappers
    r"|KUBECONFIG|AWS_CONFIG_FILE|AWS_SHARED_CREDENTIALS_FILE|CURL_HOME|WGETRC|GNUPGHOME|ANSIBLE_.*|TF_CLI_.*"
    r"|(?:PIP|UV)_CONFIG_FILE|NPM_CONFIG_.*|YARN_.*|HGRCPATH|HGEDITOR|HGMERGE|SVN_(?:SSH|EDITOR|MERGE)|BZR_SSH"
    r"|RSYNC_(?:RSH|CONNECT_PROG)|TAR_RSH|DOCKER_CONFIG"
    # build tools
    r"|MAKEFILES|RUSTC|RUSTDOC|CARGO_(?:HOME|ALIAS_.*|BUILD_RUST.*|TARGET_.*_(?:RUNNER|LINKER)|REGISTRY_.*CREDENTIAL_PROVIDER.*)"
    r"|GO(?:ROOT|ENV|TOOLCHAIN|TOOLDIR|CACHEPROG|AUTH)|CMAKE_(?:.*_(?:LAUNCHER|COMPILER|PATH)|GENERATOR|TOOLCHAIN_FILE)|TOX_(?:OVERRIDE|.*CONFIG_FILE)|COVERAGE_(?:PROCESS_START|RCFILE)|PYLINTRC|MYPYPATH"
    r"|AR|AS|NM|RANLIB|STRIP|FC|F77|F90|LEX|YACC|M4|AWK|LDSHARED|CONFIG_(?:SHELL|SITE)|PKG_CONFIG.*|ACLOCAL.*|CCACHE_.*|DISTCC_.*"
    r"|MAVEN_ARGS|M2_HOME|GRADLE_USER_HOME|UV_PYTHON.*|PIP_PYTHON|CLOUDSDK_(?:PYTHON.*|CONFIG)|HELM_(?:PLUGINS|DATA_HOME)"
    # what archivers take as options, and what others load beside their own code
    r"|GZIP|BZIP2?|XZ_DEFAULTS|UNZIP|ZIPINFO|SSH_(?:SK|PKCS11)_.*|PKCS11_.*|SOFTHSM2_CONF|SASL_.*|ODBC.*|ORACLE_HOME|TNS_ADMIN"
    r"|PSQLRC|PG(?:SERVICEFILE|SYSCONFDIR)|(?:VK|OCL|LIBGL|GST|GI|QML2?|ALSA)_.*(?:PATH|DIR|FILES?|FILENAMES|VENDORS|DRIVERS?)|VIM|VIMRUNTIME|(?:TCL|TK)_LIBRARY|MATLABPATH"
    r"|CC|CXX|CPP|LD|MAKE|JAVA_HOME|ANT_ARGS"
    # where languages, compilers and frameworks find their own parts, and what is loaded into every process of theirs
    r"|R_(?:HOME|LIBS.*)|MONO_.*|COMPLUS_.*|SCALA_HOME|KOTLIN_(?:HOME|COMPILER)|SWIFT_EXEC|LIBCLANG_PATH|LLVM_CONFIG_PATH|BINDGEN_.*|NIX_(?:PATH|CONFIG)"
    r"|(?:CUDA|HSA|OMP)_(?:INJECTION.*|TOOLS?_LIB.*)|SDL_DYNAMIC_API|GIO_MODULE_DIR|GST_PLUGIN_.*|GETCONF_DIR|RESOLV_HOST_CONF"
    r"|(?:TORCH_EXTENSIONS|TRITON_CACHE|NUMBA_CACHE)_DIR|VALGRIND_LIB|(?:LV2|LADSPA|FREI0R)_PATH|MAGICK_(?:HOME|.*_PATH)|GS_LIB.*|SETUPTOOLS_USE_.*"
    # files in which more tools are told what to run, and versions that their launchers pick
    r"|APT_CONFIG|RPM_CONFIGDIR|MYPY_CONFIG_FILE|MAILCAPS|LFTP_HOME|MPLAYER_HOME|GVIMINIT|NVIM_APPNAME|DIRENV_CONFIG|PRE_COMMIT_HOME"
    r"|(?:PYENV|RBENV|NODENV|ASDF|MISE|RTX|NVM|SDKMAN)_.*|AIRFLOW_(?:HOME|CONFIG|_CORE__.*)|DBT_PROFILES_DIR|JUPYTER_(?:CONFIG_)?PATH|IPYTHONDIR|PYLINTHOME"
    r"|CELERY_CONFIG_MODULE|GUNICORN_CMD_ARGS|LOCUST_LOCUSTFILE|SPHINXBUILD|AUTO(?:CONF|MAKE|M4TE|HEADER)|FLEX|M4PATH|BISON_PKGDATADIR"
    r"|TEXMF.*|SHELL_ESCAPE.*|OPEN(?:IN|OUT)_ANY"
    # tool chains that are looked for there, compilers and browsers that are started, libraries of further languages
    r"|RUSTUP_(?:HOME|TOOLCHAIN)|DOTNET_(?:ROOT|STARTUP).*|MSBUILD.*|CAML_.*|OCAML(?:PATH|LIB|FIND_.*)|GHC(?:RTS|_PACKAGE_PATH)|CABAL_(?:DIR|CONFIG)"
    r"|STACK_(?:ROOT|YAML)|HOST(?:CC|CXX|LD)|COMSPEC|PROTOC|PROTOC_INCLUDE|NIX_(?:CFLAGS|LDFLAGS).*|QEMU_LD_PREFIX|WINE(?:PREFIX|LOADER|SERVER|DLLPATH)"
    r"|CHROME_(?:PATH|BIN)|.*_EXECUTABLE_PATH|SE_MANAGER_PATH|PLAYWRIGHT_BROWSERS_PATH|TS_NODE_.*|TSX_TSCONFIG_PATH|BUN_INSTALL"
    r"|BAT_CONFIG_(?:PATH|DIR)|CONTAINERS_(?:CONF|STORAGE_CONF).*|BUILDAH_RUNTIME|CONDARC|(?:OMPI|PRTE|PMIX)_MCA_.*|I_MPI_HYDRA_.*|SLURM_CONF"
    r"|SPACK_.*|EASYBUILD_.*|MODULE(?:PATH|SHOME|RCFILE)|LMOD_.*|PASSWORD_STORE_(?:EXTENSIONS_DIR|ENABLE_EXTENSIONS)|MYSQL_HOME"
    # what the engine decides
    r"|PATH|HOME|TMPDIR|TMP|TEMP|VIRTUAL_ENV|PWD|OLDPWD"
)


def is_injection(variable: str) -> bool:
    """Return whether passing a variable on would let its value choose the code that a command runs."""
    # Upper case: some programs and platforms take `path` for `PATH`.
    return _INJECTION.fullmatch(variable.upper()) is not None


# A variable is here if its value names where a common tool fetches from, sends to or goes through, or whom it trusts.
_REDIRECTION = lazy_pattern(
    r"(?:PIP|UV|TWINE|POETRY|FLIT|HATCH|CARGO|DOCKER|GEM|BUNDLE|COMPOSER|NUGET|HOMEBREW|CONDA|MAMBA|PDM)_.*"
    r"|(?:.*_)?(?:HTTPS?|FTP|ALL|NO|SOCKS)_?PROXY|GOPROXY|GOSUMDB|GONOSUM(?:DB|CHECK)|GOINSECURE|GOPRIVATE"
    r"|.*_(?:URL|URI|HOST|HOSTNAME|SERVER|ENDPOINT|REGISTRY|REPOSITORY|INDEX|MIRROR|PROXY|CA_BUNDLE|CA_FILE|CACERT)S?"
    r"|.*_ENDPOINT_URL_.*|SSL_CERT_(?:FILE|DIR)|SSH_AUTH_SOCK"
)


def is_redirection(variable: str) -> bool:
    """Return whether a variable's value would let whoever sets it choose where a command fetches from or sends to."""
    return _REDIRECTION.fullmatch(variable.upper()) is not None


def variable_problem(name: str) -> str | None:
    """Return why a command can't be given a variable of that name by a workflow, or None."""
    if VARIABLE_NAME.fullmatch(name) is None:
        return f"{name!r} is no variable's name"
    if is_injection(name):
        return f"{name!r} can't be set: its value chooses what code runs, or the engine sets it"
    return None
