package stack

import (
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/compose"
)

// BackupVolume is a volume on NFS for backups, as other stacks use it: external, by the name
// NAME_backups. A service that ends at once proves, when the stack is made, that the share can be
// written to.
type BackupVolume struct {
	Name    string        `yaml:"name"`           // of the project; empty means backups
	Image   string        `yaml:"image,required"` // any with a shell: "busybox:1.36"
	Share   NFSVolume     `yaml:"share,required"`
	Timeout time.Duration `yaml:"timeout"` // how long the proof may take; 0 means 3 minutes

	Lock compose.Lock `yaml:"-"` // pins the image
}

// Validate returns everything that is wrong with the configuration.
func (b BackupVolume) Validate() lab.Problems { return b.Share.validate().Under("share") }

// Stack returns the stack. Its error is a [lab.Problems] when the configuration is wrong.
func (b BackupVolume) Stack() (compose.Stack, error) {
	if ps := b.Validate(); len(ps) > 0 {
		return compose.Stack{}, ps
	}
	s, err := load(nameOr(b.Name, "backups"), object{
		"services": object{"check": object{
			"image": b.Image, "network_mode": "none", "volumes": []string{"backups:/backups"},
			"command": []string{"sh", "-c", "f=/backups/.lab-$$$$ && echo ok >$$f && sync && rm $$f"},
		}},
		"volumes": object{"backups": b.Share.model()},
	}, nil, nil, b.Lock)
	s.Timeout = b.Timeout
	return s, err
}
