package real

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// The images are rebuilt when this file changes.
//
//go:embed dockerimage.go
var dockerImageSource string

// dockerKey returns the cache key of something that is built from the base image.
func dockerKey(base, variant string) string {
	sum := sha256.Sum256([]byte(dockerImageSource + "\x00" + filepath.Base(base) + "\x00" + variant))
	return fmt.Sprintf("%x", sum[:8])
}

// dockerPackages returns a directory with Debian packages, which are downloaded
// once: docker.io with its dependencies in engine/, busybox-static in busybox/.
func dockerPackages(ctx context.Context) (string, error) {
	base, err := image(ctx)
	if err != nil {
		return "", err
	}
	return cached(ctx, "docker-debs", dockerKey(base, "debs"), func(dir string) error {
		return downloadPackages(ctx, base, dir, map[string]string{"engine": "docker.io", "busybox": "busybox-static"})
	})
}

// downloadPackages downloads packages with the dependencies that the image does
// not have, each into a directory of its own. It uses an overlay of the image.
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
	for sub, p := range packages {
		archives := filepath.Join(root, "srv", sub)
		if err := os.MkdirAll(filepath.Join(archives, "partial"), 0o755); err != nil {
			return err
		}
		if err := run(ctx, "chroot", root, "apt-get", "install", "-y", "-qq", "--no-install-recommends", "--download-only",
			"-o", "Dir::Cache::archives=/srv/"+sub, "-o", "APT::Keep-Downloaded-Packages=true", p); err != nil {
			return err
		}
		debs, err := filepath.Glob(filepath.Join(archives, "*.deb"))
		if err != nil || len(debs) == 0 {
			return errors.Join(err, fmt.Errorf("apt downloaded nothing for %s", p))
		}
		if err := os.Mkdir(filepath.Join(dir, sub), 0o755); err != nil {
			return err
		}
		for _, d := range debs {
			if err := copyFile(d, filepath.Join(dir, sub, filepath.Base(d))); err != nil {
				return err
			}
		}
	}
	return nil
}

// busyboxImage returns a tar file of a root file system with only busybox.
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
		for name, content := range map[string]string{"etc/passwd": "root:x:0:0:root:/:/bin/sh\n",
			"etc/group": "root:x:0:\n"} {
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
// makes postgres the owner of the data directory and restarts as that user.
//
//go:embed images/postgres.bash
var postgresEntrypoint string

// postgresImage returns a tar file of a Debian root file system with PostgreSQL.
func postgresImage(ctx context.Context, major int) (string, error) {
	base, err := image(ctx) // its name depends on Debian's sources
	if err != nil {
		return "", err
	}
	bin := pgBinaries{major: 15}
	if major != bin.major {
		release, ok := pgReleases[major]
		if !ok {
			return "", fmt.Errorf("%w of version %d for an image", ErrNoPostgres, major)
		}
		if bin.dir, err = fetchPostgres(ctx, release); err != nil {
			return "", err
		}
	}
	dir, err := cached(ctx, "docker-postgres", dockerKey(base, bin.dir+"\x00"+postgresEntrypoint), func(dir string) error {
		root := filepath.Join(dir, "root")
		// PostgreSQL loads its JIT compiler only for expensive plans, and works
		// without its libraries, which have 130 MB.
		args := append(mmdebstrapArgs(ctx, "postgresql-15"), "--dpkgopt=path-exclude=/usr/lib/*/libLLVM*",
			"--dpkgopt=path-exclude=/usr/lib/*/libz3*", "--dpkgopt=path-exclude=/usr/lib/postgresql/*/lib/llvmjit*",
			"--dpkgopt=path-exclude=/usr/share/i18n/*", "bookworm", root)
		if err := run(ctx, "mmdebstrap", append(args, hostSources()...)...); err != nil {
			return err
		}
		// Debian creates a cluster at installation; the entry point creates another.
		if err := os.RemoveAll(filepath.Join(root, "var/lib/postgresql/15")); err != nil {
			return err
		}
		if bin.dir != "" {
			if err := linkTree(filepath.Dir(bin.dir), filepath.Join(root, "usr/local/pgsql")); err != nil {
				return err
			}
		}
		if err := writeFile(filepath.Join(root, "usr/local/bin/docker-entrypoint.sh"),
			postgresEntrypoint, 0o755); err != nil {
			return err
		}
		return pack(ctx, root, filepath.Join(dir, "postgres.tar"))
	})
	return filepath.Join(dir, "postgres.tar"), err
}

// pack creates a tar file of a root file system, without devices, and removes the
// root file system.
func pack(ctx context.Context, root, tar string) error {
	if err := run(ctx, "tar", "--create", "--file="+tar, "--directory="+root, "--exclude=./dev/*",
		"--numeric-owner", "."); err != nil {
		return err
	}
	return os.RemoveAll(root)
}
