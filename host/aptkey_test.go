package host_test

import (
	"crypto/sha256"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

// TestWrongKeyIsNotPutInPlace: a key that does not sign the source is refused, for a new source and in place of the key
// that does; with the right one packages are installed.
func TestWrongKeyIsNotPutInPlace(t *testing.T) {
	if _, err := exec.LookPath("gpg"); err != nil {
		real.Missing(t, "gpg")
	}
	pi := &host.Machine{Target: realTarget(real.Machines(t, 1)[0])}
	defer pi.Close()
	m := realApt(t, pi)
	home := t.TempDir()
	gpg := func(stdin string, args ...string) string {
		c := exec.Command("gpg", append([]string{"--homedir", home, "--batch", "--quiet", "--armor", "--passphrase", ""}, args...)...)
		c.Stdin = strings.NewReader(stdin)
		out, err := c.Output()
		if err != nil {
			t.Fatalf("gpg %q: %v", args, err)
		}
		return string(out)
	}
	var keys []string
	for _, name := range []string{"right@lab.test", "wrong@lab.test"} {
		gpg("", "--quick-generate-key", name, "ed25519", "sign", "never")
		keys = append(keys, gpg("", "--export", name))
	}
	defer exec.Command("gpgconf", "--homedir", home, "--kill", "all").Run() // the agent ends by itself, too

	m.publish(deb{name: "x-signed", version: "1"})
	index := m.sh("rm /etc/apt/sources.list.d/x.list; cat /srv/x/Packages")
	release := fmt.Sprintf("Origin: lab\nSuite: lab\nCodename: lab\nDate: %s\nSHA256:\n %x %d Packages\n",
		time.Now().UTC().Format(time.RFC1123), sha256.Sum256([]byte(index)), len(index))
	m.sh("printf %s " + ssh.Quote(gpg(release, "--local-user", "right@lab.test", "--clear-sign")) + " >/srv/x/InRelease")
	defer m.sh("rm -f /srv/x/InRelease /etc/apt/sources.list.d/vendor* /etc/apt/keyrings/vendor*")

	source := func(key string) host.AptSource {
		return host.AptSource{Name: "vendor", URIs: []string{"copy:/srv/x"}, Suites: []string{"./"}, Key: key}
	}
	if _, err := m.plan(host.State{source(keys[1])}).Apply(t.Context(), nil); err == nil ||
		!strings.Contains(err.Error(), "vendor.sources: exit status 1: ") || !strings.Contains(err.Error(), "NO_PUBKEY") {
		t.Errorf("a new source with a wrong key: %v", err)
	}
	m.sh("[ ! -e /etc/apt/sources.list.d/vendor.sources ]")
	settle(t, m.Machine, host.State{source(keys[0]), host.Package{Name: "x-signed"}})
	if _, err := m.plan(host.State{source(keys[1])}).Apply(t.Context(), nil); err == nil ||
		!strings.Contains(err.Error(), "keyrings/vendor.asc: exit status 1: ") {
		t.Errorf("a wrong key in place of the right one: %v", err)
	}
	m.sh("apt-get -q update && grep -q PGP /etc/apt/keyrings/vendor.asc")
	settle(t, m.Machine, host.State{source(keys[0]), host.Package{Name: "x-signed"}})
	settle(t, m.Machine, host.State{source(keys[0] + keys[1])}) // while the vendor changes keys
}
