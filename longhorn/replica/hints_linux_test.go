package replica_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/replica"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/replica/replicatest"
)

// TestOutputHints does what the hint of each refused output says: the next run is not refused so.
func TestOutputHints(t *testing.T) {
	needExtents(t, t.TempDir())
	im := open(t, write(t, three()), replica.Want{})
	shell := func(t *testing.T, command string) {
		t.Helper()
		if out, err := exec.Command("sh", "-c", command).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", command, err, out)
		}
	}
	removePart := func(t *testing.T, o *replica.Output, _ string) { shell(t, "rm -r "+o.Path+".part") }
	restart := func(_ *testing.T, o *replica.Output, _ string) { o.Restart = true }
	elsewhere := func(t *testing.T, o *replica.Output, _ string) { o.Path = filepath.Join(t.TempDir(), "image") }
	for name, c := range map[string]struct {
		before string // a command, run in the output's directory
		path   string // of the output, in that directory; "" for image
		hint   string
		follow func(t *testing.T, o *replica.Output, hint string)
	}{
		"exists":         {"touch image", "", "name another, or remove it", elsewhere},
		"link":           {"ln -s nowhere image", "", "name a path that does not exist", elsewhere},
		"no directory":   {"true", "no such/image", "mkdir -p", func(t *testing.T, _ *replica.Output, hint string) { shell(t, hint) }},
		"in a replica":   {"touch volume.meta", "", "write to another directory", elsewhere},
		"part unknown":   {"echo x >image.part", "", "remove it, or begin again", restart},
		"part unknown,":  {"echo x >image.part", "", "remove it, or begin", removePart},
		"part is a link": {"ln -s /dev/null image.part", "", "remove it", removePart},
		"part is a dir":  {"mkdir image.part", "", "remove it", removePart},
		"part is a fifo": {"mkfifo image.part", "", "remove it", removePart},
		"two names":      {"echo x >other && ln other image.part", "", "remove it", removePart},
		"bad state": {"mkdir image.part.state && echo >image.part", "", "remove it, and begin again",
			func(t *testing.T, o *replica.Output, hint string) {
				shell(t, "rm -r "+o.Path+".part.state")
				o.Restart = true
			}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			shell(t, "cd "+dir+" && "+c.before)
			o := replica.Output{Path: filepath.Join(dir, "image")}
			if c.path != "" {
				o.Path = filepath.Join(dir, c.path)
			}
			_, err := im.Save(t.Context(), o)
			hint := strings.Join(lab.Hints(err), "; ")
			if err == nil || !strings.Contains(hint, c.hint) {
				t.Fatalf("%v, hint %q, want %q", err, hint, c.hint)
			}
			asked := slices.ContainsFunc(nextSteps(err), func(e lab.Error) bool { return e.Set.Name == replica.SettingRestart })
			if _, command, ok := strings.Cut(hint, ": "); ok {
				hint = command
			}
			c.follow(t, &o, hint)
			if o.Restart && !asked {
				t.Errorf("%v: hint %q does not ask to begin again", err, hint)
			}
			if _, err := im.Save(t.Context(), o); err != nil {
				t.Errorf("hint %q was followed: %v", hint, err)
			}
		})
	}
}

// TestReadHints gives what the hints name, where something else than a replica directory was given.
func TestReadHints(t *testing.T) {
	disk := t.TempDir()
	replicas := filepath.Join(disk, "replicas")
	if err := three().Write(filepath.Join(replicas, "vol-0123abcd")); err != nil {
		t.Fatal(err)
	}
	put(t, disk, "longhorn-disk.cfg", "{}")
	for _, path := range []string{disk, replicas} {
		_, err := replica.Read(path)
		hint := strings.Join(lab.Hints(err), "")
		found, _ := filepath.Glob(hint[strings.LastIndexByte(hint, ' ')+1:])
		if len(found) != 1 {
			t.Fatalf("%s: hint %q names %v", path, hint, found)
		}
		if _, err := replica.Read(found[0]); err != nil {
			t.Errorf("%s: %v", found[0], err)
		}
	}
}

// TestBackingFormats refuses backing files that are no raw images, by their first bytes, and names the
// command that makes one of them; that of gzip is run.
func TestBackingFormats(t *testing.T) {
	rep := replicatest.Replica{Sectors: 64, Layers: []replicatest.Layer{{Name: "a"}, {}},
		Backing: bytes.Repeat([]byte("backing "), 512)}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(rep.Backing); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	pad := func(head string) string { return head + strings.Repeat("\x00", 1024-len(head)) }
	for format, content := range map[string]string{
		"gzip": packed.String(), "qcow2": pad("QFI\xfb\x00\x00\x00\x03"), "vmdk": pad("KDMV\x01"),
		"vmdk 4": pad("COWD"), "vmdk descriptor": pad("# Disk DescriptorFile\nversion=1\n"), "xz": pad("\xfd7zXZ\x00"),
		"vdi":  pad("<<< Oracle VM VirtualBox Disk Image >>>\n" + strings.Repeat("\x00", 24) + "\x7f\x10\xda\xbe"),
		"vhdx": pad("vhdxfile"), "vhd": pad("conectix"), "qed": pad("QED\x00"), "zstd": pad("\x28\xb5\x2f\xfd"),
		"bzip2": pad("BZh9"), "lz4": pad("\x04\x22\x4d\x18"), "zip": pad("PK\x03\x04"),
		"tar": pad(strings.Repeat("\x00", 257) + "ustar"),
	} {
		t.Run(format, func(t *testing.T) {
			base := filepath.Join(t.TempDir(), "the disk")
			if err := rep.Write(filepath.Join(base, "replicas", "vol-0123abcd")); err != nil {
				t.Fatal(err)
			}
			put(t, filepath.Join(base, "replicas", "backing"), "backing", content)
			d, err := replica.Read(filepath.Join(base, "replicas", "vol-0123abcd"))
			if err != nil {
				t.Fatal(err)
			}
			_, err = d.Chain(replica.Want{})
			steps := nextSteps(err)
			if len(steps) != 1 || steps[0].Set.Name != replica.SettingBacking {
				t.Fatalf("%v: %v", err, steps)
			}
			hint := steps[0].Hint
			kind, _, _ := strings.Cut(format, " ")
			if !errors.Is(err, lab.ErrRefused) || !strings.Contains(err.Error(), "of the format "+kind+",") ||
				!strings.Contains(hint, "convert it with: ") {
				t.Fatalf("%v, hint %q", err, hint)
			}
			if format != "gzip" {
				return
			}
			_, command, _ := strings.Cut(hint, ": ")
			command, _, _ = strings.Cut(command, ";")
			if out, err := exec.Command("sh", "-c", command).CombinedOutput(); err != nil {
				t.Fatalf("%s: %v: %s", command, err, out)
			}
			raw := steps[0].Set.Value
			if got, err := os.ReadFile(raw); err != nil || !bytes.Equal(got, rep.Backing) {
				t.Errorf("%s: %v", command, err)
			}
			if _, err := d.Chain(replica.Want{Backing: raw}); err != nil {
				t.Error(err)
			}
		})
	}
}
