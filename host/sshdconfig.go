package host

import "strings"

// sshdConfig is the token of sshd's configuration, which decides where it reads authorized keys.
const sshdConfig = "sshd-config"

// isSSHDConfig reports whether sshd reads the file as its configuration, as Debian configures it.
func isSSHDConfig(file string) bool {
	return file == "/etc/ssh/sshd_config" || strings.HasPrefix(file, "/etc/ssh/sshd_config.d/")
}
