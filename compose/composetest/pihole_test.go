package composetest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

// The stand-in takes the lines that the real dnsmasq takes, and words what is wrong with others as that does.
func TestDnsmasqLines(t *testing.T) {
	program, err := exec.LookPath("dnsmasq")
	if err != nil {
		if program, err = exec.LookPath("/usr/sbin/dnsmasq"); err != nil {
			real.Missing(t, "dnsmasq (Debian package dnsmasq-base)")
		}
	}
	for _, lines := range []string{
		"no-resolv", "no-hosts", "server=9.9.9.9", "server=9.9.9.9#5353", "server=::1#53", "server=/home/192.168.1.1", "local=/lab/",
		"local=/a.lab/b.lab/", "address=/lab/192.168.1.1", "address=/lab/fd00::1", "rev-server=192.168.1.0/24,192.168.1.1",
		"rev-server=192.168.0.0/23,192.168.1.1", "cname=a.lab,b.lab", "cname=a.lab,c.lab,b.lab", "cname=a.lab,b.lab,300",
		"txt-record=x.lab,hello", "# a comment", "",
		"adress=/lab/192.168.1.1", "address=/lab/192.168.1", "address=lab", "server=dns.example.org", "server=9.9.9.9:53",
		"cname=a.lab", "cname=a.lab,b.lab\ncname=a.lab,c.lab", "rev-server=192.168.1.0/24", "nonsense", "rev-server=x,192.168.1.1",
		"local=/lab/192.168.1.300", "server=9.9.9.9\naddress=/x/y",
	} {
		file := filepath.Join(t.TempDir(), "lab.conf")
		if err := os.WriteFile(file, []byte(lines+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(program, "--test", "--conf-file="+file).CombinedOutput()
		want := strings.ReplaceAll(strings.TrimSpace(string(out)), "Temporary failure in name resolution", "Name or service not known")
		got := testDnsmasq(strings.NewReader(lines), file)
		if (err == nil) != (got == nil) || got != nil && got.Error() != want {
			t.Errorf("%q:\n it says %v\n dnsmasq %s", lines, got, want)
		}
	}
}
