package composetest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
)

// Image is an image by its name and tag. Its digest and its ID are made of the name.
type Image struct {
	Name     string // "postgres:17.2"
	Imported bool   // it is in no registry and has no digest
}

// ID returns the image's ID.
func (i Image) ID() string { return digest("id " + i.Name) }

// Digest returns the digest of its manifest, "" when it was imported.
func (i Image) Digest() string {
	if i.Imported {
		return ""
	}
	return digest("manifest " + i.Name)
}

func (i Image) repository() string { return i.Name[:strings.LastIndexByte(i.Name, ':')] }

func (i Image) tag() string { return i.Name[strings.LastIndexByte(i.Name, ':')+1:] }

func digest(s string) string {
	h := sha256.Sum256([]byte(s))
	return "sha256:" + hex.EncodeToString(h[:])
}

// image finds an image on the machine by name, name and digest, or ID.
func find(images []Image, ref string) (Image, bool) {
	ref = strings.TrimPrefix(strings.TrimPrefix(ref, "docker.io/"), "library/")
	for _, i := range images {
		if i.ID() == ref || i.Name == ref ||
			!i.Imported && (i.Name+"@"+i.Digest() == ref || i.repository()+"@"+i.Digest() == ref) {
			return i, true
		}
	}
	return Image{}, false
}

// pull is docker pull.
func (d *Docker) pull(p *hosttest.Process, args []string) error {
	quiet := len(args) > 1 && args[0] == "-q"
	if len(args) != 1 && !(quiet && (len(args) == 2 || len(args) == 4 && args[1] == "--platform")) {
		return unknown(args)
	}
	name := args[len(args)-1]
	i, ok := find(d.config.Registry, name)
	if !ok || d.badPulls[i.Name] {
		return fmt.Errorf("Error response from daemon: manifest for %s not found: manifest unknown", name)
	}
	if _, have := find(d.images, i.ID()); !have {
		d.change(p)
		d.images = append(d.images, i)
	}
	if !quiet {
		fmt.Fprintf(p.Stdout(), "%s: Pulling from %s\nDigest: %s\nStatus: Image is up to date for %s\n", i.tag(),
			i.repository(), i.Digest(), i.Name)
	}
	fmt.Fprintln(p.Stdout(), name)
	return nil
}

// imageCommand is docker image.
func (d *Docker) imageCommand(p *hosttest.Process, verb string, args []string) (int, error) {
	listed := []string{"-a", "--no-trunc", "--digests", "--format"}
	switch {
	case verb == "ls" && len(args) == len(listed)+1 && slices.Equal(args[:len(listed)], listed):
		for _, i := range d.images {
			v := map[string]string{"Repository": i.repository(), "Tag": i.tag(), "Digest": i.Digest(), "ID": i.ID()}
			if i.Imported {
				v["Digest"] = "<none>"
			}
			if err := format(p.Stdout(), args[len(listed)], v); err != nil {
				return 1, err
			}
		}
		return 0, nil
	case verb == "inspect" && len(args) == 1:
		return d.inspectImage(p, "{{.ID}}", args[0])
	case verb == "inspect" && len(args) == 3 && args[0] == "--format":
		return d.inspectImage(p, args[1], args[2])
	}
	return 1, unknown(append([]string{"image", verb}, args...))
}

func (d *Docker) inspectImage(p *hosttest.Process, text, ref string) (int, error) {
	i, ok := find(d.images, ref)
	if !ok {
		return 1, fmt.Errorf("Error response from daemon: No such image: %s", ref)
	}
	digests := []string{}
	if !i.Imported {
		digests = append(digests, i.repository()+"@"+i.Digest())
	}
	return 0, format(p.Stdout(), text, map[string]any{"ID": i.ID(), "RepoDigests": digests})
}
