package hosttest_test

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
)

// observation is a script as an engine sends it: about a hundred resources, in some 20 KB.
func observation(m *hosttest.Machine) string {
	var b strings.Builder
	var files []string
	for _, dir := range []string{"/etc", "/usr/lib/systemd"} {
		m.FS().Walk(dir, func(p string, st kernel.Stat) error {
			if st.IsRegular() && len(files) < 60 {
				files = append(files, p)
			}
			return nil
		})
	}
	b.WriteString("set -u\nexport LC_ALL=C\nf() { printf '\\n--%s %s--\\n' \"$1\" \"$2\"; }\n")
	for i := range 250 {
		fmt.Fprintf(&b, "f_%d() { f '%d' \"$1\"; } # a part of the script that most machines do not run\n", i, i)
	}
	b.WriteString("f stat 0\nxargs -0 -r stat --printf '%f %u %g %s %Y %n\\0' -- <<'END' 2>/dev/null\n")
	b.WriteString("END\nprintf '%s\\0'")
	for _, p := range files {
		b.WriteString(" '" + p + "'")
	}
	b.WriteString(" >/run/list; xargs -0 -r stat --printf '%f %u %g %s %Y %n\\0' -- </run/list; f sum 0; " +
		"xargs -0 -r sha256sum -z -- </run/list; rm /run/list\n")
	b.WriteString("f dpkg 0; dpkg-query -W -f '${binary:Package} ${db:Status-Abbrev} ${Version}\\n' sudo cron curl " +
		"systemd nosuch 2>&1\n")
	b.WriteString("f unit 0; systemctl show -p Id,LoadState,ActiveState,SubState,UnitFileState,FragmentPath," +
		"NeedDaemonReload,InvocationID ssh cron dbus nosuch.service\n")
	b.WriteString("f user 0; getent passwd root pi daemon nobody; getent group sudo adm docker; " +
		"for k in net/ipv4/ip_forward vm/swappiness fs/file-max; do read -r v </proc/sys/$k; f \"$k\" \"$v\"; done\n")
	return b.String()
}

// BenchmarkObserve is a whole visit: connection, handshake, one exec with a script of 20 KB that asks about a hundred
// resources. b.N machines are visited, each once, as a fleet would be.
func BenchmarkObserve(b *testing.B) {
	key, err := hosttest.NewSigner()
	if err != nil {
		b.Fatal(err)
	}
	first := hosttest.New(b, hosttest.Config{AuthorizedKeys: []ssh.PublicKey{key.PublicKey()}})
	script := observation(first)
	b.ReportMetric(float64(len(script)), "script-bytes")
	machines := make([]*hosttest.Machine, b.N)
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for i := range machines {
		machines[i] = hosttest.New(b, hosttest.Config{AuthorizedKeys: []ssh.PublicKey{key.PublicKey()}})
	}
	visit := func(m *hosttest.Machine) error {
		c, err := dialAs(m, "pi", ssh.PublicKeys(key))
		if err != nil {
			return err
		}
		defer c.Close()
		s, err := c.NewSession()
		if err != nil {
			return err
		}
		var out bytes.Buffer
		s.Stdin, s.Stdout = strings.NewReader(script), &out
		if err := s.Run(elevated(script)); err != nil {
			return err
		}
		if n := strings.Count(out.String(), "\x00"); n < 100 {
			return fmt.Errorf("%d answers", n)
		}
		return nil
	}
	b.ResetTimer()
	var wg sync.WaitGroup
	work := make(chan *hosttest.Machine)
	for range 8 {
		wg.Go(func() {
			for m := range work {
				if err := visit(m); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for _, m := range machines {
		work <- m
	}
	close(work)
	wg.Wait()
	b.StopTimer()
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.HeapInuse+after.StackInuse-before.HeapInuse-before.StackInuse)/float64(b.N),
		"resident-B/machine")
	for _, m := range machines {
		m.Close()
	}
}

// BenchmarkStart boots a machine and stops it.
func BenchmarkStart(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		m, err := hosttest.Start(hosttest.Config{})
		if err != nil {
			b.Fatal(err)
		}
		m.Close()
	}
}
