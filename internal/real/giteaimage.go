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

// GiteaVersion and RunnerVersion are the versions in internal/real/gitea/go.mod
// and internal/real/runner/go.mod.
const (
	GiteaVersion  = "1.26.0"
	RunnerVersion = "1.0.8"
)

// The images are rebuilt when this file changes.
//
//go:embed giteaimage.go
var giteaImageSource string

// ImportGitea imports an image of Gitea into the machine's Docker Engine under
// the names, such as "gitea/gitea:1.26.0-rootless": the real server in a Debian,
// without the scripts of the web pages, which are not in the Go module. It has
// the interface of the rootless image: the user 1000, the volumes /var/lib/gitea
// and /etc/gitea, GITEA__SECTION__KEY and the same with __FILE, which Gitea
// itself writes to app.ini, and the command gitea.
func (m *Machine) ImportGitea(tb testing.TB, names ...string) {
	tb.Helper()
	m.importServer(tb, "gitea", giteaImage, []string{
		"USER 1000:1000", "WORKDIR /var/lib/gitea", "VOLUME /var/lib/gitea",
		"VOLUME /etc/gitea", "EXPOSE 2222", "EXPOSE 3000",
		"ENV GITEA_WORK_DIR=/var/lib/gitea", "ENV GITEA_CUSTOM=/var/lib/gitea/custom",
		"ENV GITEA_TEMP=/tmp/gitea", "ENV TMPDIR=/tmp/gitea",
		"ENV GITEA_APP_INI=/etc/gitea/app.ini", "ENV HOME=/var/lib/gitea/git", imagePath,
		`ENTRYPOINT ["/usr/bin/dumb-init", "--", "/usr/local/bin/docker-entrypoint.sh"]`,
	}, names)
}

// ImportRunner imports an image of the runner of Gitea Actions into the machine's
// Docker Engine under the names, such as "gitea/runner:1.0.8": the real program
// in a Debian, with the entry point of the basic image, which registers with
// GITEA_INSTANCE_URL, GITEA_RUNNER_NAME and GITEA_RUNNER_REGISTRATION_TOKEN (or
// _FILE) unless /data/.runner exists.
func (m *Machine) ImportRunner(tb testing.TB, names ...string) {
	tb.Helper()
	m.importServer(tb, "runner", runnerImage, []string{
		"VOLUME /data", imagePath, `ENTRYPOINT ["/usr/bin/tini", "--", "run.sh"]`,
	}, names)
}

const imagePath = "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

func (m *Machine) importServer(tb testing.TB, what string,
	image func(context.Context) (string, error), changes, names []string) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 30*time.Minute) // a cold build of Gitea takes long
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

// giteaEntrypoint is the first process of the Gitea image. It replaces that of
// the rootless image, which is also a shell script: as there, the directory of
// app.ini gets mode 0700 when the file is created, the file begins with defaults
// of the image, and everything in it that the environment names is set at every
// start, by gitea config edit-ini --in-place --apply-env. Differences: the
// defaults that variables such as DB_TYPE set are missing, because the lab does
// not use them; the layout of the template is not compared; STATIC_ROOT_PATH is
// set, because in the real image the program contains these files.
//
//go:embed images/gitea.bash
var giteaEntrypoint string

// giteaCommand is the command gitea in the container, which adds the app.ini.
//
//go:embed images/gitea-command.bash
var giteaCommand string

// giteaImage returns a tar file of a Debian root file system with Gitea.
func giteaImage(ctx context.Context) (string, error) {
	binary, err := goTool(ctx, "gitea", "code.gitea.io/gitea", "-X main.Version="+GiteaVersion)
	if err != nil {
		return "", err
	}
	recipe := giteaImageSource + giteaEntrypoint + giteaCommand
	return serverImage(ctx, "gitea", binary, recipe,
		"bash,ca-certificates,curl,dumb-init,git,openssh-client", func(root string) error {
			if err := run(ctx, "chroot", root, "useradd", "--uid", "1000", "--home-dir", "/var/lib/gitea/git", "--shell",
				"/bin/bash", "git"); err != nil {
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
				to := filepath.Join(root, "usr/share/gitea", d)
				if err := os.CopyFS(to, os.DirFS(filepath.Join(module, d))); err != nil {
					return err
				}
			}
			for _, d := range []string{"var/lib/gitea", "etc/gitea"} {
				if err := errors.Join(os.MkdirAll(filepath.Join(root, d), 0o755),
					os.Chown(filepath.Join(root, d), 1000, 1000)); err != nil {
					return err
				}
			}
			return errors.Join(writeFile(filepath.Join(root, "usr/local/bin/docker-entrypoint.sh"), giteaEntrypoint, 0o755),
				writeFile(filepath.Join(root, "usr/local/bin/gitea"), giteaCommand, 0o755))
		})
}

// runnerEntrypoint is the first process of the runner image. It replaces the
// image's run.sh, as far as the lab uses that: as there, the token is an argument,
// and registration is retried every 5 s until it succeeds.
//
//go:embed images/runner.bash
var runnerEntrypoint string

// runnerImage returns a tar file of a Debian root file system with the runner.
func runnerImage(ctx context.Context) (string, error) {
	binary, err := goTool(ctx, "runner", "gitea.com/gitea/runner",
		"-X gitea.com/gitea/runner/internal/pkg/ver.version=v"+RunnerVersion)
	if err != nil {
		return "", err
	}
	recipe := giteaImageSource + runnerEntrypoint
	return serverImage(ctx, "runner", binary, recipe, "bash,ca-certificates,git,tini,tzdata", func(root string) error {
		return errors.Join(copyFile(binary, filepath.Join(root, "usr/local/bin/gitea-runner")),
			writeFile(filepath.Join(root, "usr/local/bin/run.sh"), runnerEntrypoint, 0o755))
	})
}

// serverImage returns a tar file of a Debian root file system with the packages
// and what fill adds. It is rebuilt when the binary or the recipe changes.
func serverImage(ctx context.Context, name, binary, recipe, packages string, fill func(root string) error) (string, error) {
	base, err := image(ctx) // its name depends on Debian's sources
	if err != nil {
		return "", err
	}
	key := dockerKey(base, strings.Join([]string{recipe, filepath.Base(filepath.Dir(binary)), packages}, "\x00"))
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

// moduleDir returns the directory of a dependency of the module internal/real/name.
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
