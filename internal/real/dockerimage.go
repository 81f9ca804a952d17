package real

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// The images are made anew when this file changes.
//
//go:embed dockerimage.go
var dockerImageSource string

// dockerKey is the cache's key of what this file makes of the base image.
func dockerKey(base, variant string) string {
	sum := sha256.Sum256([]byte(dockerImageSource + "\x00" + filepath.Base(base) + "\x00" + variant))
	return fmt.Sprintf("%x", sum[:8])
}

// dockerPackages is a folder with the Debian packages, downloaded once: those
// that docker.io brings to a machine in engine/, busybox-static in busybox/.
func dockerPackages(ctx context.Context) (string, error) {
	base, err := image(ctx)
	if err != nil {
		return "", err
	}
	return cached(ctx, "docker-debs", dockerKey(base, "debs"), func(dir string) error {
		return downloadPackages(ctx, base, dir, map[string]string{"engine": "docker.io", "busybox": "busybox-static"})
	})
}

// downloadPackages downloads packages, and what they need that the image does
// not hold, into a folder each. It does so on an overlay of the image.
func downloadPackages(ctx context.Context, base, dir string, packages map[string]string) (err error) {
	work := filepath.Join(dir, "work")
	for _, d := range []string{"up", "tmp", "root"} {
		if err := os.MkdirAll(filepath.Join(work, d), 0o755); err != nil {
			return err
		}
	}
	root := filepath.Join(work, "root")
	layers := fmt.Sprintf("lowerdir=%s,upperdir=%s/up,workdir=%s/tmp", base, work, work)
	if err := run(ctx, "mount", "-t", "overlay", "overlay", "-o", layers, root); err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, unmount(context.WithoutCancel(ctx), root)); err == nil {
			err = os.RemoveAll(work)
		}
	}()
	m := &Machine{Root: root}
	if err := m.EnableDebian(); err != nil {
		return err
	}
	if err := writeFile(filepath.Join(root, "etc/resolv.conf"), nameservers(), 0o644); err != nil {
		return err
	}
	if err := run(ctx, "chroot", root, "apt-get", "update", "-qq"); err != nil {
		return err
	}
	for folder, p := range packages {
		archives := filepath.Join(root, "srv", folder)
		if err := os.MkdirAll(filepath.Join(archives, "partial"), 0o755); err != nil {
			return err
		}
		if err := run(ctx, "chroot", root, "apt-get", "install", "-y", "-qq", "--no-install-recommends", "--download-only",
			"-o", "Dir::Cache::archives=/srv/"+folder, "-o", "APT::Keep-Downloaded-Packages=true", p); err != nil {
			return err
		}
		debs, err := filepath.Glob(filepath.Join(archives, "*.deb"))
		if err != nil || len(debs) == 0 {
			return errors.Join(err, fmt.Errorf("apt downloaded nothing for %s", p))
		}
		if err := os.Mkdir(filepath.Join(dir, folder), 0o755); err != nil {
			return err
		}
		for _, d := range debs {
			if err := copyFile(d, filepath.Join(dir, folder, filepath.Base(d))); err != nil {
				return err
			}
		}
	}
	return nil
}

// busyboxImage is a tar file of a root file system with nothing but busybox.
func busyboxImage(ctx context.Context) (string, error) {
	debs, err := dockerPackages(ctx)
	if err != nil {
		return "", err
	}
	dir, err := cached(ctx, "docker-busybox", dockerKey(debs, "busybox"), func(dir string) error {
		found, err := filepath.Glob(filepath.Join(debs, "busybox", "busybox-static_*.deb"))
		if err != nil || len(found) != 1 {
			return errors.Join(err, fmt.Errorf("%d packages of busybox-static in %s", len(found), debs))
		}
		root := filepath.Join(dir, "root")
		if err := run(ctx, "dpkg-deb", "--extract", found[0], root); err != nil {
			return err
		}
		for name, content := range map[string]string{"etc/passwd": "root:x:0:0:root:/:/bin/sh\n", "etc/group": "root:x:0:\n"} {
			if err := writeFile(filepath.Join(root, name), content, 0o644); err != nil {
				return err
			}
		}
		if err := os.Mkdir(filepath.Join(root, "tmp"), 0o755); err != nil {
			return err
		}
		for _, d := range []string{"lib", "usr/share"} {
			if err := os.RemoveAll(filepath.Join(root, d)); err != nil {
				return err
			}
		}
		if err := run(ctx, "chroot", root, "/bin/busybox", "--install", "-s", "/bin"); err != nil {
			return err
		}
		return pack(ctx, root, filepath.Join(dir, "busybox.tar"))
	})
	return filepath.Join(dir, "busybox.tar"), err
}

// postgresEntrypoint is the first process of the PostgreSQL image. As root it
// gives the data folder to postgres and starts again as that user.
const postgresEntrypoint = `#!/bin/bash
set -euo pipefail
if [ "${1#-}" != "$1" ]; then set -- postgres "$@"; fi
if [ "$1" != postgres ]; then exec "$@"; fi
if [ "$(id -u)" = 0 ]; then
	mkdir -p "$PGDATA" /var/run/postgresql
	chown -R postgres: "$PGDATA" /var/run/postgresql
	chmod 700 "$PGDATA"
	exec setpriv --reuid=postgres --regid=postgres --init-groups "$0" "$@"
fi
value() { # NAME DEFAULT: the variable, or the content of the file that NAME_FILE names
	local file=$1_FILE
	if [ -n "${!file:-}" ] && [ -n "${!1:-}" ]; then echo "both $1 and $file are set" >&2; exit 1; fi
	if [ -n "${!file:-}" ]; then cat "${!file}"; else printf '%s' "${!1:-$2}"; fi
}
if [ ! -s "$PGDATA/PG_VERSION" ]; then
	user=$(value POSTGRES_USER postgres)
	password=$(value POSTGRES_PASSWORD '')
	database=$(value POSTGRES_DB "$user")
	auth=scram-sha-256
	if [ -z "$password" ]; then
		if [ "${POSTGRES_HOST_AUTH_METHOD:-}" != trust ]; then echo 'POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE must be set' >&2; exit 1; fi
		auth=trust password=unused
	fi
	eval "initdb --username=\"\$user\" --pwfile=<(printf '%s\n' \"\$password\") --auth-local=trust --auth-host=$auth --encoding=UTF8 --locale=C.UTF-8 ${POSTGRES_INITDB_ARGS:-}"
	echo "host all all all $auth" >>"$PGDATA/pg_hba.conf"
	pg_ctl --wait --options="-c listen_addresses='' -c unix_socket_directories=/var/run/postgresql" start
	psql=(psql --no-psqlrc -v ON_ERROR_STOP=1 --host=/var/run/postgresql --username="$user")
	if [ "$database" != postgres ]; then
		"${psql[@]}" --dbname=postgres -v name="$database" <<<'CREATE DATABASE :"name";'
	fi
	for f in /docker-entrypoint-initdb.d/*; do
		case $f in
		*.sh) . "$f" ;;
		*.sql) "${psql[@]}" --dbname="$database" --file="$f" ;;
		esac
	done
	pg_ctl --wait --mode=fast stop
fi
# docker import knows no STOPSIGNAL, and SIGTERM would wait for the clients.
trap 'kill -INT $!' TERM INT
"$@" -c listen_addresses='*' -c unix_socket_directories=/var/run/postgresql &
wait $! || wait $!
`

// postgresImage is a tar file of a Debian root file system with PostgreSQL.
func postgresImage(ctx context.Context, major int) (string, error) {
	base, err := image(ctx) // its name stands for Debian's sources
	if err != nil {
		return "", err
	}
	bin := pgBinaries{major: 15}
	if major != bin.major {
		release, ok := pgReleases[major]
		if !ok {
			return "", fmt.Errorf("%w of version %d to make an image of", ErrNoPostgres, major)
		}
		if bin.dir, err = fetchPostgres(ctx, release); err != nil {
			return "", err
		}
	}
	dir, err := cached(ctx, "docker-postgres", dockerKey(base, bin.dir), func(dir string) error {
		root := filepath.Join(dir, "root")
		// PostgreSQL's compiler is loaded only when a plan is worth it; without
		// its libraries, 130 MB, it does without.
		args := append(mmdebstrapArgs(ctx, "postgresql-15"), "--dpkgopt=path-exclude=/usr/lib/*/libLLVM*",
			"--dpkgopt=path-exclude=/usr/lib/*/libz3*", "--dpkgopt=path-exclude=/usr/lib/postgresql/*/lib/llvmjit*", "--dpkgopt=path-exclude=/usr/share/i18n/*", "bookworm", root)
		if err := run(ctx, "mmdebstrap", append(args, hostSources()...)...); err != nil {
			return err
		}
		// Debian makes a cluster at installation; the entry point makes another.
		if err := os.RemoveAll(filepath.Join(root, "var/lib/postgresql/15")); err != nil {
			return err
		}
		if bin.dir != "" {
			if err := linkTree(filepath.Dir(bin.dir), filepath.Join(root, "usr/local/pgsql")); err != nil {
				return err
			}
		}
		if err := writeFile(filepath.Join(root, "usr/local/bin/docker-entrypoint.sh"), postgresEntrypoint, 0o755); err != nil {
			return err
		}
		return pack(ctx, root, filepath.Join(dir, "postgres.tar"))
	})
	return filepath.Join(dir, "postgres.tar"), err
}

// pack makes a tar file of a root file system, without devices, and removes
// the latter.
func pack(ctx context.Context, root, tar string) error {
	if err := run(ctx, "tar", "--create", "--file="+tar, "--directory="+root, "--exclude=./dev/*", "--numeric-owner", "."); err != nil {
		return err
	}
	return os.RemoveAll(root)
}

// copyFile copies a file, as a hard link where it can.
func copyFile(from, to string) error {
	if os.Link(from, to) == nil {
		return nil
	}
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	return errors.Join(err, dst.Close())
}
