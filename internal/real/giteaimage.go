package real

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// GiteaVersion and RunnerVersion are those of internal/real/gitea/go.mod and
// internal/real/runner/go.mod.
const (
	GiteaVersion  = "1.26.0"
	RunnerVersion = "1.0.8"
)

// The images are made anew when this file changes.
//
//go:embed giteaimage.go
var giteaImageSource string

// ImportGitea makes an image of Gitea known to the machine's Docker Engine
// under the names, such as "gitea/gitea:1.26.0-rootless": the real server in a
// Debian, without the web pages' scripts, which are not in the Go module. It
// keeps the contract of the rootless image: the user 1000, the volumes
// /var/lib/gitea and /etc/gitea, GITEA__SECTION__KEY and the same with __FILE
// written into app.ini by Gitea itself, and `gitea` as a command.
func (m *Machine) ImportGitea(tb testing.TB, names ...string) {
	tb.Helper()
	m.importServer(tb, "gitea", giteaImage, []string{
		"USER 1000:1000", "WORKDIR /var/lib/gitea", "VOLUME /var/lib/gitea", "VOLUME /etc/gitea", "EXPOSE 2222", "EXPOSE 3000",
		"ENV GITEA_WORK_DIR=/var/lib/gitea", "ENV GITEA_CUSTOM=/var/lib/gitea/custom", "ENV GITEA_TEMP=/tmp/gitea", "ENV TMPDIR=/tmp/gitea",
		"ENV GITEA_APP_INI=/etc/gitea/app.ini", "ENV HOME=/var/lib/gitea/git", imagePath,
		`ENTRYPOINT ["/usr/bin/dumb-init", "--", "/usr/local/bin/docker-entrypoint.sh"]`,
	}, names)
}

// ImportRunner makes an image of the runner of Gitea Actions known to the
// machine's Docker Engine under the names, such as "gitea/runner:1.0.8": the
// real program in a Debian, with the entry point of the basic image, which
// registers by GITEA_INSTANCE_URL, GITEA_RUNNER_NAME and
// GITEA_RUNNER_REGISTRATION_TOKEN (or _FILE) unless /data/.runner is there.
func (m *Machine) ImportRunner(tb testing.TB, names ...string) {
	tb.Helper()
	m.importServer(tb, "runner", runnerImage, []string{
		"VOLUME /data", imagePath, `ENTRYPOINT ["/usr/bin/tini", "--", "run.sh"]`,
	}, names)
}

const imagePath = "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

func (m *Machine) importServer(tb testing.TB, what string, image func(context.Context) (string, error), changes, names []string) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 30*time.Minute) // a cold build of Gitea is long
	defer cancel()
	tar, err := image(ctx)
	lacksTool(tb, what, err)
	if err == nil {
		err = m.importImage(ctx, tar, changes, names)
	}
	if err != nil {
		tb.Fatalf("import %s: %v", what, err)
	}
}

// giteaEntrypoint is the first process of the Gitea image. It is a stand-in of
// the rootless image's, which is a shell script too: as there, the folder of
// app.ini gets mode 0700 when the file is first made, the file begins with
// defaults of the image, and everything in it that the environment names is
// set at every start, by `gitea config edit-ini --in-place --apply-env`.
// Not there, or not compared with it: the defaults that variables such as
// DB_TYPE set, which the lab does not use; the template's layout; STATIC_ROOT_PATH,
// since the real image holds these files in the program.
const giteaEntrypoint = `#!/bin/bash
set -eu
mkdir -p "$HOME" "$GITEA_CUSTOM" "$GITEA_TEMP"
chmod 0700 "$HOME" "$GITEA_CUSTOM" "$GITEA_TEMP"
if [ ! -f "$GITEA_APP_INI" ]; then
	mkdir -p "${GITEA_APP_INI%/*}"
	chmod 0700 "${GITEA_APP_INI%/*}"
	cat >"$GITEA_APP_INI" <<END
APP_NAME = Gitea: Git with a cup of tea
RUN_USER = git
RUN_MODE = prod

[repository]
ROOT = $GITEA_WORK_DIR/git/repositories

[server]
APP_DATA_PATH    = $GITEA_WORK_DIR
STATIC_ROOT_PATH = /usr/share/gitea
SSH_DOMAIN       = localhost
HTTP_PORT        = 3000
ROOT_URL         =
DISABLE_SSH      = false
; there is no sshd in the container
START_SSH_SERVER = true
SSH_PORT         = 2222
SSH_LISTEN_PORT  = 2222
BUILTIN_SSH_SERVER_USER = git

[database]
PATH = $GITEA_WORK_DIR/data/gitea.db
DB_TYPE = sqlite3
HOST    = localhost:3306
NAME    = gitea
USER    = root
PASSWD  =

[session]
PROVIDER_CONFIG = $GITEA_WORK_DIR/data/sessions

[log]
ROOT_PATH = $GITEA_WORK_DIR/data/log

[security]
INSTALL_LOCK = false
SECRET_KEY   =

[service]
DISABLE_REGISTRATION = false
REQUIRE_SIGNIN_VIEW  = false

[lfs]
PATH = $GITEA_WORK_DIR/git/lfs
END
fi
/app/gitea/gitea config edit-ini --in-place --apply-env --config "$GITEA_APP_INI"
if [ $# -gt 0 ]; then exec "$@"; fi
exec gitea -c "$GITEA_APP_INI" web
`

// giteaCommand is gitea as it is typed in the container: with its app.ini.
const giteaCommand = `#!/bin/bash
for a; do
	case $a in -c | -c=* | --config | --config=*) exec /app/gitea/gitea "$@" ;; esac
done
exec /app/gitea/gitea -c "$GITEA_APP_INI" "$@"
`

// giteaImage is a tar file of a Debian root file system with Gitea.
func giteaImage(ctx context.Context) (string, error) {
	binary, err := goTool(ctx, "gitea", "code.gitea.io/gitea", "-X main.Version="+GiteaVersion)
	if err != nil {
		return "", err
	}
	return serverImage(ctx, "gitea", binary, "bash,ca-certificates,curl,dumb-init,git,openssh-client", func(root string) error {
		if err := run(ctx, "chroot", root, "useradd", "--uid", "1000", "--home-dir", "/var/lib/gitea/git", "--shell", "/bin/bash", "git"); err != nil {
			return err
		}
		if err := copyFile(binary, filepath.Join(root, "app/gitea/gitea")); err != nil {
			return err
		}
		module, err := moduleDir(ctx, "gitea", "code.gitea.io/gitea")
		if err != nil {
			return err
		}
		for _, d := range []string{"options", "public", "templates"} {
			if err := os.CopyFS(filepath.Join(root, "usr/share/gitea", d), os.DirFS(filepath.Join(module, d))); err != nil {
				return err
			}
		}
		for _, d := range []string{"var/lib/gitea", "etc/gitea"} {
			if err := errors.Join(os.MkdirAll(filepath.Join(root, d), 0o755), os.Chown(filepath.Join(root, d), 1000, 1000)); err != nil {
				return err
			}
		}
		return errors.Join(writeFile(filepath.Join(root, "usr/local/bin/docker-entrypoint.sh"), giteaEntrypoint, 0o755),
			writeFile(filepath.Join(root, "usr/local/bin/gitea"), giteaCommand, 0o755))
	})
}

// runnerEntrypoint is what the runner image runs. It is a stand-in of the
// image's run.sh, as far as the lab uses that: the token goes to the command
// line, as there; registration is tried until it succeeds, every 5 s.
const runnerEntrypoint = `#!/bin/bash
mkdir -p /data
cd /data
config=()
if [ -n "${CONFIG_FILE:-}" ]; then config=(--config "$CONFIG_FILE"); fi
if [ -z "${GITEA_RUNNER_REGISTRATION_TOKEN:-}" ] && [ -f "${GITEA_RUNNER_REGISTRATION_TOKEN_FILE:-}" ]; then
	GITEA_RUNNER_REGISTRATION_TOKEN=$(cat "$GITEA_RUNNER_REGISTRATION_TOKEN_FILE")
fi
if [ ! -s "${RUNNER_STATE_FILE:-.runner}" ]; then
	until gitea-runner register --instance "$GITEA_INSTANCE_URL" --token "$GITEA_RUNNER_REGISTRATION_TOKEN" --name "${GITEA_RUNNER_NAME:-$(hostname)}" "${config[@]}" --no-interactive 2>&1 |
		tee /tmp/reg.log && grep -q 'Runner registered successfully' /tmp/reg.log; do
		echo 'Waiting to retry ...'
		sleep 5
	done
fi
unset GITEA_RUNNER_REGISTRATION_TOKEN GITEA_RUNNER_REGISTRATION_TOKEN_FILE
exec gitea-runner daemon "${config[@]}"
`

// runnerImage is a tar file of a Debian root file system with the runner.
func runnerImage(ctx context.Context) (string, error) {
	binary, err := goTool(ctx, "runner", "gitea.com/gitea/runner", "-X gitea.com/gitea/runner/internal/pkg/ver.version=v"+RunnerVersion)
	if err != nil {
		return "", err
	}
	return serverImage(ctx, "runner", binary, "bash,ca-certificates,git,tini,tzdata", func(root string) error {
		return errors.Join(copyFile(binary, filepath.Join(root, "usr/local/bin/gitea-runner")),
			writeFile(filepath.Join(root, "usr/local/bin/run.sh"), runnerEntrypoint, 0o755))
	})
}

// serverImage is a tar file of a Debian root file system with the packages and
// what fill adds. It is made anew when the binary is another.
func serverImage(ctx context.Context, name, binary, packages string, fill func(root string) error) (string, error) {
	base, err := image(ctx) // its name stands for Debian's sources
	if err != nil {
		return "", err
	}
	key := dockerKey(base, strings.Join([]string{giteaImageSource, filepath.Base(filepath.Dir(binary)), packages}, "\x00"))
	dir, err := cached(ctx, "docker-"+name, key, func(dir string) error {
		root := filepath.Join(dir, "root")
		args := append(mmdebstrapArgs(ctx, packages), "--dpkgopt=path-exclude=/usr/share/i18n/*", "bookworm", root)
		if err := run(ctx, "mmdebstrap", append(args, hostSources()...)...); err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Join(root, "app/gitea"), 0o755); err != nil {
			return err
		}
		if err := fill(root); err != nil {
			return err
		}
		return pack(ctx, root, filepath.Join(dir, name+".tar"))
	})
	return filepath.Join(dir, name+".tar"), err
}

// moduleDir is the folder of a dependency of the module internal/real/name.
func moduleDir(ctx context.Context, name, dependency string) (string, error) {
	module, err := toolModule(ctx, name)
	if err != nil {
		return "", err
	}
	out, err := capture(ctx, "", "go", "-C", module, "list", "-m", "-f", "{{.Dir}}", dependency)
	if err != nil {
		return "", err
	}
	dir := strings.TrimSpace(out)
	if dir == "" {
		return "", fmt.Errorf("the module %s: %w; go mod download", dependency, fs.ErrNotExist)
	}
	return dir, nil
}
