package fsimage_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/fsimage"
)

// TestExtractLeftovers kills an extraction, and runs it again: all that was left is named, and what
// the hint says removes it.
func TestExtractLeftovers(t *testing.T) {
	if image := os.Getenv("FSIMAGE_TEST_KILL"); image != "" { // the process that is killed
		self, err := os.FindProcess(os.Getpid())
		if err != nil {
			t.Fatal(err)
		}
		fsimage.Extract(context.Background(), image, os.Getenv("FSIMAGE_TEST_OUT"),
			fsimage.Extraction{Found: func(fsimage.File) { self.Kill(); select {} }})
		t.Fatal("was not killed")
	}
	image := imageOf(t, true, "mkfs.ext4", "-q", "-F")
	out := filepath.Join(t.TempDir(), "out")
	t.Setenv("TMPDIR", t.TempDir())
	cmd := exec.Command(os.Args[0], "-test.run", "^TestExtractLeftovers$")
	cmd.Env = append(os.Environ(), "FSIMAGE_TEST_KILL="+image, "FSIMAGE_TEST_OUT="+out)
	if text, err := cmd.CombinedOutput(); err == nil || cmd.ProcessState.ExitCode() >= 0 {
		t.Fatalf("not killed: %v: %s", err, text)
	}
	_, err := fsimage.Extract(t.Context(), image, out, fsimage.Extraction{})
	refused(t, err, "an earlier run has left")
	for _, what := range []string{out + ".part", "a mount on " + os.TempDir(), image + ".replay"} {
		if !strings.Contains(err.Error(), what) {
			t.Errorf("%s is not named: %v", what, err)
		}
	}
	_, commands, _ := strings.Cut(strings.Join(lab.Hints(err), ""), "killed: ")
	if text, err := exec.Command("sh", "-c", commands).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", commands, err, text)
	}
	if _, err := fsimage.Extract(t.Context(), image, out, fsimage.Extraction{}); err != nil {
		t.Error(err)
	}
	if left, _ := filepath.Glob(filepath.Join(os.TempDir(), "*")); len(left) != 0 {
		t.Errorf("left %v", left)
	}
}

// TestCheckLeftovers checks an image beside which a check that was killed has left its copy: it is named,
// and what the hint says removes it.
func TestCheckLeftovers(t *testing.T) {
	image := imageOf(t, true, "mkfs.ext4", "-q", "-F")
	put(t, filepath.Dir(image), filepath.Base(image)+".replay", "some of it")
	_, err := fsimage.Check(t.Context(), image)
	refused(t, err, "an earlier run has left "+image+".replay")
	_, commands, _ := strings.Cut(strings.Join(lab.Hints(err), ""), "killed: ")
	if text, err := exec.Command("sh", "-c", commands).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", commands, err, text)
	}
	if c, err := fsimage.Check(t.Context(), image); err != nil || !c.Clean {
		t.Errorf("%+v %v", c, err)
	}
}
