package diskfile

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// TestNewPlace: where something new may be written, and where not.
func TestNewPlace(t *testing.T) {
	base, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	at := func(path string) string { return filepath.Join(base, path) }
	for _, file := range []string{
		"meta/volume.meta", "head/volume-head-001.img", "snap/volume-snap-a.img", "plain/volume-head-x.img",
		"disk/longhorn-disk.cfg", "mine/file",
	} {
		err := errors.Join(os.MkdirAll(filepath.Dir(at(file)), 0o700), os.WriteFile(at(file), nil, 0o600))
		if err != nil {
			t.Fatal(err)
		}
	}
	err = errors.Join(os.Symlink(at("nowhere"), at("dangling")), os.Symlink(at("head"), at("alias")),
		os.Mkdir(at("head/sub"), 0o700))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{ // what the refusal says, "" for none
		"free": "", "plain/new": "", "disk/new": "",
		"mine/file": "it exists", "mine": "it exists", "dangling": "it is a symbolic link",
		"mine/new": "inside the replica directory " + at("mine"), "alias/new": "inside a replica directory",
		"meta/new": "inside a replica directory", "head/new": "inside a replica directory",
		"head/sub/new": "inside a replica directory", "snap/new": "inside a replica directory",
	} {
		p, err := NewPlace("test", at(path), []string{at("mine")})
		switch {
		case want == "" && (err != nil || p.Path != at(path) || (len(p.Doubts) > 0) != (path == "disk/new")):
			t.Errorf("%s: %+v, %v", path, p, err)
		case want != "" && (!errors.Is(err, lab.ErrRefused) || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v, want a refusal that says %q", path, err, want)
		}
	}
	for path, want := range map[string]string{"free": "no such block device", "mine/file": "it exists"} {
		_, err := DevicePlace("test", at(path))
		if !errors.Is(err, lab.ErrRefused) || !strings.Contains(err.Error(), want) {
			t.Errorf("device %s: %v, want a refusal that says %q", path, err, want)
		}
	}
}
