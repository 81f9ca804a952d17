package ssh

// The settings that hints of this package name, see [lab.Setting].
const (
	// SettingHostKey is the key that a machine is trusted to have. The value is its line in a
	// known_hosts file.
	SettingHostKey = "ssh.hostKey"

	SettingKey          = "ssh.key"          // the private key to log in with, or the ssh-agent
	SettingSudoPassword = "ssh.sudoPassword" // what sudo gets when it asks
)
