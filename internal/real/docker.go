package real

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// composeVersion is the version in internal/real/compose/go.mod.
const composeVersion = "v2.40.3"

// DockerEngine is a Docker Engine in a [Machine] of its own, whose network,
// processes and images are separate from this machine's.
type DockerEngine struct {
	*Machine        // published ports are on its Host; bind mounts refer to its files
	Socket   string // the engine's socket on this machine
}

// Docker starts a Docker Engine for the duration of the test: Debian's, with the
// Compose plugin. It pulls from registries on the machines' bridge without TLS,
// see [Registry]. It has the requirements of [Machines].
func Docker(tb testing.TB) *DockerEngine {
	tb.Helper()
	m := Machines(tb, 1)[0]
	const socket = "/srv/docker.sock" // on the overlay, which is visible on both sides
	conf := "[Service]\nExecStart=\nExecStart=/usr/sbin/dockerd -H fd:// -H unix://" + socket +
		" --insecure-registry=" + m.Gateway + "/24\n"
	if err := writeFile(filepath.Join(m.Root, "etc/systemd/system/docker.service.d/socket.conf"), conf, 0o644); err != nil {
		tb.Fatal(err)
	}
	m.InstallDocker(tb)
	return &DockerEngine{Machine: m, Socket: filepath.Join(m.Root, socket)}
}

// InstallDocker installs Debian's docker.io and the Compose v2 plugin in the
// machine, from the cache, and returns when the engine answers. The user pi is
// not in the group docker, and has to use sudo.
func (m *Machine) InstallDocker(tb testing.TB) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 20*time.Minute) // a cold build of Compose takes long
	defer cancel()
	if err := m.installDocker(ctx); err != nil {
		lacksTool(tb, "docker compose", err)
		tb.Fatalf("install docker in %s: %v", m.Name, err)
	}
}

// composePlugin returns the path of docker-compose.
func composePlugin(ctx context.Context) (string, error) {
	return goTool(ctx, "compose", "github.com/docker/compose/v2/cmd",
		"-X github.com/docker/compose/v2/internal.Version="+composeVersion)
}

func (m *Machine) installDocker(ctx context.Context) error {
	debs, err := dockerPackages(ctx)
	if err != nil {
		return err
	}
	compose, err := composePlugin(ctx)
	if err != nil {
		return err
	}
	if err := linkTree(filepath.Join(debs, "engine"), filepath.Join(m.Root, "srv/docker-debs")); err != nil {
		return err
	}
	b, err := os.ReadFile(compose)
	if err != nil {
		return err
	}
	if err := writeFile(filepath.Join(m.Root, "usr/local/lib/docker/cli-plugins/docker-compose"), string(b),
		0o755); err != nil {
		return err
	}
	if _, err := m.Run(ctx, "sudo DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "+
		"/srv/docker-debs/*.deb && sudo rm -r /srv/docker-debs"); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	return until(ctx, "dockerd answers in "+m.Name, func() error {
		_, err := m.Run(ctx, "sudo docker info")
		return err
	})
}

// ImportBusybox imports an image of Debian's busybox into the machine's Docker
// Engine under the names, such as "busybox:1.36", without a registry.
func (m *Machine) ImportBusybox(tb testing.TB, names ...string) {
	tb.Helper()
	tar, err := busyboxImage(tb.Context())
	if err == nil {
		err = m.importImage(tb.Context(), tar, []string{`CMD ["sh"]`}, names)
	}
	if err != nil {
		tb.Fatalf("import busybox: %v", err)
	}
}

// ImportPostgres imports an image of PostgreSQL into the machine's Docker Engine
// under the names, such as "postgres:17.10": Debian's PostgreSQL 15, or the
// server of a later major version, 16 to 18, with Debian's psql 15. Its entry
// point supports what the lab uses of the official image: POSTGRES_USER,
// POSTGRES_PASSWORD, POSTGRES_DB, the same with _FILE, POSTGRES_INITDB_ARGS,
// PGDATA, and /docker-entrypoint-initdb.d.
func (m *Machine) ImportPostgres(tb testing.TB, major int, names ...string) {
	tb.Helper()
	tar, err := postgresImage(tb.Context(), major)
	if err == nil {
		err = m.importImage(tb.Context(), tar, []string{
			"ENV PATH=/usr/local/pgsql/bin:/usr/lib/postgresql/15/bin:" + strings.TrimPrefix(imagePath, "ENV PATH="),
			"ENV PGDATA=/var/lib/postgresql/data", "VOLUME /var/lib/postgresql/data", "EXPOSE 5432",
			`ENTRYPOINT ["docker-entrypoint.sh"]`, `CMD ["postgres"]`,
		}, names)
	}
	if err != nil {
		tb.Fatalf("import postgres %d: %v", major, err)
	}
}

// importImage imports a root file system from a tar file, with changes in the
// form of Dockerfile instructions.
func (m *Machine) importImage(ctx context.Context, tar string, changes, names []string) error {
	if len(names) == 0 {
		return errors.New("no name for the image")
	}
	inside := "/srv/" + filepath.Base(tar)
	if err := copyFile(tar, filepath.Join(m.Root, inside)); err != nil {
		return err
	}
	command := "sudo docker import"
	for _, c := range changes {
		command += fmt.Sprintf(" -c '%s'", c)
	}
	command += fmt.Sprintf(" %s '%s' && sudo rm %s", inside, names[0], inside)
	for _, n := range names[1:] {
		command += fmt.Sprintf(" && sudo docker tag '%s' '%s'", names[0], n)
	}
	_, err := m.Run(ctx, command)
	return err
}
