package real

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// CoreDNS starts CoreDNS on a port of loopback for the duration of the test. Its Corefile is the given one, in which
// PORT is the port; files are others, by name, that it imports from its directory. It returns its address. Its
// first build takes minutes.
func CoreDNS(tb testing.TB, corefile string, files map[string]string) (addr string) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 20*time.Minute)
	defer cancel()
	binary, err := coreDNSProgram(ctx)
	if err != nil {
		lacksTool(tb, "CoreDNS", err)
		tb.Fatalf("CoreDNS: %v", err)
	}
	port, release, err := reservePort("127.0.0.1")
	if err != nil {
		tb.Fatalf("CoreDNS: %v", err)
	}
	tb.Cleanup(release)
	dir := tb.TempDir()
	write := func(name, text string) {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, name),
			[]byte(strings.ReplaceAll(text, "PORT", strconv.Itoa(port))), 0o600))
	}
	write("Corefile", corefile)
	for name, text := range files {
		write(name, text)
	}
	log := filepath.Join(dir, "log")
	out, createErr := os.Create(log)
	if err = errors.Join(err, createErr); err != nil {
		tb.Fatalf("CoreDNS: %v", err)
	}
	cmd := exec.Command(binary, "-conf", "Corefile")
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.Env = dir, out, out, []string{"HOME=" + dir}
	p, err := start(cmd, syscall.SIGKILL)
	if err = errors.Join(err, out.Close()); err != nil {
		tb.Fatalf("CoreDNS: %v", err)
	}
	tb.Cleanup(func() {
		if err := p.stop(syscall.SIGKILL, 5*time.Second); err != nil {
			tb.Errorf("CoreDNS: %v", err)
		}
		if b, err := os.ReadFile(log); tb.Failed() && err == nil {
			tb.Logf("log of CoreDNS:\n%s", b)
		}
	})
	addr = fmt.Sprintf("127.0.0.1:%d", port)
	err = p.until(ctx, "CoreDNS listens", func() error {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			err = c.Close()
		}
		return err
	})
	if err != nil {
		b, _ := os.ReadFile(log)
		tb.Fatalf("CoreDNS: %v\n%s", err, b)
	}
	return addr
}

func coreDNSProgram(ctx context.Context) (string, error) {
	return goTool(ctx, "coredns", "github.com/coredns/coredns")
}
