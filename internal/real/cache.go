package real

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// CacheDir returns the directory for what takes long to build: $LAB_REAL_DIR, or
// lab-real in the user's cache directory. It creates the directory. Everything in
// it can be removed while no test is running.
func CacheDir() (string, error) {
	dir := os.Getenv("LAB_REAL_DIR")
	if dir == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("cache of real servers: %w; set LAB_REAL_DIR", err)
		}
		dir = filepath.Join(base, "lab-real")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	return dir, os.MkdirAll(dir, 0o755)
}

// cached returns the directory kind/key of the cache. If it does not exist, build
// fills it first. If two processes need it, one builds it and the other waits. A
// build that was interrupted is started again.
func cached(ctx context.Context, kind, key string, build func(dir string) error) (string, error) {
	cache, err := CacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, kind, key)
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return "", err
	}
	unlock, err := lockFile(ctx, dir+".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	partial := dir + ".partial"
	if err := os.RemoveAll(partial); err != nil {
		return "", err
	}
	if err := os.Mkdir(partial, 0o755); err != nil {
		return "", err
	}
	if err := build(partial); err != nil {
		return "", fmt.Errorf("build %s: %w", dir, errors.Join(err, os.RemoveAll(partial)))
	}
	return dir, os.Rename(partial, dir)
}

// lockFile waits for the exclusive lock on the file at path. The kernel releases
// it when this process ends, in whatever way.
func lockFile(ctx context.Context, path string) (unlock func(), err error) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		f, err := tryLockFile(path)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for the lock %s: %w", path, ctx.Err())
		}
	}
}

// tryLockFile locks the file at path, or returns syscall.EWOULDBLOCK if another
// process holds the lock. Closing the file releases it.
func tryLockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	// Its last owner may have removed the file between open and lock.
	locked, err1 := f.Stat()
	named, err2 := os.Stat(path)
	if err1 != nil || err2 != nil || !os.SameFile(locked, named) {
		f.Close()
		return nil, fmt.Errorf("lock %s: it was removed meanwhile: %w", path, syscall.EWOULDBLOCK)
	}
	return f, nil
}
