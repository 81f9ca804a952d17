package host

import (
	"embed"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
	"gitea.arcodange.lab/arcodange-org/lab/internal/script"
)

// The scripts that are sent to machines. Each is POSIX sh that passes shellcheck, and reads its
// variables from assignments that are prepended to it.
//
//go:embed sh/*.sh
var shellFiles embed.FS

// shell returns sh/NAME.sh with assignments prepended; vars alternates names and values.
func shell(name string, vars ...string) string {
	return script.Join(shellFiles, script.Pairs(vars...), name+".sh")
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
