package host

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

// TestAptSourcesAsApt: which files of sources contradict each other is decided as apt decides it, over files in both
// formats with all combinations of options.
func TestAptSourcesAsApt(t *testing.T) {
	if _, err := exec.LookPath("apt-get"); err != nil {
		real.Missing(t, "apt-get")
	}
	rnd := rand.New(rand.NewPCG(7, 11))
	pick := func(words ...string) string { return words[rnd.IntN(len(words))] }
	file := func(i int) (name, text string) {
		uri, suite := "http://example.org/a"+pick("", "/"), pick("stable", "testing")
		signed, trusted := pick("", "/k/one.gpg", "/k/two.asc"), pick("", "", "yes", "no")
		if pick("list", "sources") == "list" {
			var options []string
			if signed != "" {
				options = append(options, "signed-by="+signed)
			}
			if trusted != "" {
				options = append(options, pick("", "arch=amd64 ")+"trusted="+trusted)
			}
			text = pick("deb ", "deb-src  ", "# deb ")
			if len(options) > 0 {
				text += "[ " + strings.Join(options, " ") + " ] "
			}
			return fmt.Sprintf("%c.list", 'a'+i), text + uri + " " + suite + " main # c\n"
		}
		text = "# c\nTypes: " + pick("deb", "deb-src", "deb deb-src") + "\nURIs: http://example.org/b " + uri + "\nsuites: " + suite + " other\nComponents: main\n"
		if signed != "" {
			text += "Signed-By:\n " + signed + "\n"
		}
		if trusted != "" {
			text += "Trusted: " + trusted + "\n"
		}
		return fmt.Sprintf("%c.sources", 'a'+i), text + pick("", "Enabled: no\n", "\n\n")
	}
	refused := 0
	for range 60 {
		dir := t.TempDir()
		o, shown := blank(), ""
		for i := range 3 {
			name, text := file(i)
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(text) {
				shown += "/etc/apt/sources.list.d/" + name + ":" + line
			}
		}
		o.probes[aptSourcesID] = ProbeResult{Output: []byte(shown)}
		_, err := aptSources{whole: &Whole{}}.Plan(o)
		out, aptErr := exec.Command("apt-get", "-o", "Dir::Etc::SourceList=/dev/null", "-o", "Dir::Etc::SourceParts="+dir, "indextargets").CombinedOutput()
		if (err == nil) != (aptErr == nil) {
			t.Errorf("%s\nhere: %v\napt: %v %s", shown, err, aptErr, out)
		}
		if aptErr != nil {
			refused++
		}
	}
	if refused < 10 || refused > 50 {
		t.Errorf("apt refused %d of 60", refused)
	}
}
