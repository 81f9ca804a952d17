package compose

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// mounts moves bind mounts of what is in the stack's directory to the directory on the machine, and
// brings the files along that are there.
func (l *loading) mounts() {
	for _, name := range l.project.ServiceNames() {
		s := l.project.Services[name]
		for i, v := range s.Volumes {
			at := fmt.Sprintf("services.%s.volumes[%d]", name, i)
			switch v.Type {
			case types.VolumeTypeBind:
			case types.VolumeTypeVolume, types.VolumeTypeTmpfs, types.VolumeTypeImage:
				continue
			default:
				l.add(at+".type", "", "%s is not supported here", lab.Printable(v.Type))
				continue
			}
			rel, ok := l.local(v.Source)
			switch {
			case l.homes[v.Source]:
				l.add(at, "write the path on the machine",
					"~ is the home of who runs this, and of nobody on the machine")
				continue
			case !ok:
				if l.source.Dir != "" && !l.absolute[path.Clean(v.Source)] {
					l.add(at, "move it into the directory, or write where it is on the machine",
						"%s is not in the stack's directory", filepath.Base(v.Source))
				}
				continue // a path of the machine
			case rel == ".":
				l.add(at, "move what the service needs into a directory of it, and mount that",
					"is the stack's directory itself, with its compose.yaml and its secrets")
				continue
			}
			if err := l.bring(v.Source); err != nil {
				l.add(at, "what is not meant for the machine, move out of it; what is there already, name by its path there",
					"%s", l.shown(err))
			}
			if !v.ReadOnly {
				l.leave(rel, v.Source)
			}
			if ext := path.Ext(rel); !l.has(rel) && ext != "" && ext != ".d" && ext != path.Base(rel) &&
				ext == path.Ext(v.Target) {
				l.add(at, "create the file; or, if it is made on the machine, write its path there",
					"%s is not here, and Docker would make a directory of it", rel)
			}
			s.Volumes[i].Source = path.Join(l.target, rel)
		}
		l.project.Services[name] = s
	}
	for _, key := range l.project.VolumeNames() {
		// The loader takes such a device for a path here.
		v := l.project.Volumes[key]
		if plain := "volumes." + key; secretOption.MatchString(v.DriverOpts["o"]) &&
			!slices.Contains(l.source.PlainEnvironment, plain) {
			l.add(plain+".driver_opts.o",
				"mount the share on the machine, with a file of credentials, and mount its directory; "+plainHint(plain),
				"holds a password, and docker volume inspect would show it to everybody who may use docker").Set = plainSetting(plain)
		}
		if l.source.Dir != "" {
			if _, ok := l.local(v.DriverOpts["device"]); ok || l.homes[v.DriverOpts["device"]] {
				l.add("volumes."+key+".driver_opts.device",
					"mount the directory itself, or write where it is on the machine", "is a path that is only here")
			}
		}
	}
}

// leave leaves a file that is empty here, and mounted to be written to, to its service: what that
// has written is not to be emptied at the next run.
func (l *loading) leave(rel, source string) {
	i := slices.IndexFunc(l.files, func(f File) bool { return f.Path == rel })
	if i < 0 || l.files[i].content() != "" {
		return
	}
	l.files[i].IfAbsent = true
	if st, err := os.Stat(source); err == nil && st.Mode().Perm()&0o077 == 0 {
		l.files[i].Mode &= 0o700
	}
}

// has reports whether the stack has the file, or files in the directory.
func (l *loading) has(rel string) bool {
	return slices.ContainsFunc(append(slices.Clone(l.files), l.source.Files...),
		func(f File) bool { return f.Path == rel || strings.HasPrefix(f.Path, rel+"/") })
}
