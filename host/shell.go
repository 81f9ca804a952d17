package host

import (
	"embed"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// The scripts that are sent to machines. Each is POSIX sh that passes shellcheck, and reads its
// variables from assignments that are prepended to it.
//
//go:embed sh/*.sh
var shellFiles embed.FS

// shell returns sh/NAME.sh with assignments prepended; vars alternates names and values.
func shell(name string, vars ...string) string {
	text, err := shellFiles.ReadFile("sh/" + name + ".sh")
	if err != nil {
		panic(err) // the names are constants, of files that are compiled in
	}
	var b strings.Builder
	for i := 0; i+1 < len(vars); i += 2 {
		b.WriteString(vars[i] + "=" + ssh.Quote(vars[i+1]) + "\n")
	}
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(strings.TrimSpace(line), "#") { // comments need not be sent
			b.WriteString(line)
		}
	}
	return b.String()
}

// words returns the arguments quoted for a shell, each preceded by a space.
func words(args []string) string {
	var b strings.Builder
	for _, a := range args {
		b.WriteByte(' ')
		b.WriteString(ssh.Quote(a))
	}
	return b.String()
}
