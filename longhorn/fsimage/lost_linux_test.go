package fsimage_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/fsimage"
)

// TestExtractLost damages the inodes of a file, a directory and a symbolic link: the rest is
// extracted, by each way, and what was lost is listed.
func TestExtractLost(t *testing.T) {
	for _, c := range []struct {
		name    string
		damaged []string
		gone    []string // what is not there then
	}{
		{"file", []string{"dir/file"}, []string{"dir/file", "dir/deep/same"}},
		{"one name only", []string{"setuid"}, []string{"setuid"}},
		{"link", []string{"longlink"}, []string{"longlink"}},
		{"directory", []string{"dir/deep"}, []string{"dir/deep/same"}},
		{"several", []string{"setuid", "sparse"}, []string{"setuid", "sparse"}},
	} {
		image := imageOf(t, false, "mkfs.ext4", "-q", "-F")
		for _, name := range c.damaged {
			damageInode(t, image, name)
		}
		for _, noMount := range []bool{false, true} {
			t.Run(c.name+"/nomount="+strconv.FormatBool(noMount), func(t *testing.T) {
				out := filepath.Join(t.TempDir(), "out")
				x, err := fsimage.Extract(t.Context(), image, out, fsimage.Extraction{NoMount: noMount})
				if err != nil {
					t.Fatal(err)
				}
				listed := map[string]bool{}
				n := 0
				for _, w := range x.Warnings {
					if w.Code == fsimage.WarnLost {
						n++
						listed[w.Path] = true
					}
				}
				if n != x.Lost || n == 0 {
					t.Errorf("%d lost, %d listed: %v", x.Lost, n, x.Warnings)
				}
				for _, name := range c.damaged {
					if !listed[name] {
						t.Errorf("%s is not listed: %v", name, x.Warnings)
					}
				}
				for _, name := range c.gone {
					if _, err := os.Lstat(filepath.Join(out, name)); err == nil {
						t.Errorf("%s is there", name)
					}
				}
				for _, name := range []string{"a name\twith \\ 'all' \"of\" it: ü\xff", "null", "fifo"} {
					if _, err := os.Lstat(filepath.Join(out, name)); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
}

// damageInode writes noise into the inode of a file of an ext4 image, so that its checksum is wrong.
func damageInode(t *testing.T, image, name string) {
	t.Helper()
	tool, err := exec.LookPath("debugfs")
	if err != nil {
		if tool, err = exec.LookPath("/usr/sbin/debugfs"); err != nil {
			real.Missing(t, "debugfs (e2fsprogs)")
		}
	}
	ask := func(command, pattern string) []string {
		answer, err := exec.Command(tool, "-R", command, image).CombinedOutput()
		found := regexp.MustCompile(pattern).FindStringSubmatch(string(answer))
		if err != nil || found == nil {
			t.Fatalf("%s: %v: %s", command, err, answer)
		}
		return found[1:]
	}
	place := ask("imap "+name, `block (\d+), offset (0x[0-9a-f]+)`)
	size, _ := strconv.ParseInt(ask("stats -h", `Block size:\s+(\d+)`)[0], 10, 64)
	block, _ := strconv.ParseInt(place[0], 10, 64)
	off, _ := strconv.ParseInt(place[1], 0, 64)
	f, err := os.OpenFile(image, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte("noise"), block*size+off+0x64); err != nil { // the generation number
		t.Fatal(err)
	}
}
