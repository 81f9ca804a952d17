package k3s

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// Image is an archive of images for machines without Internet, such as the release's k3s-airgap-images-arm64.tar, or what
// "docker save" writes. containerd imports it from a directory at its start. Docker does not look there: the images are
// loaded into it (github.com/k3s-io/k3s/issues/4502).
type Image struct {
	Source string `yaml:"source"` // a local file, which is sent; empty means that URL is downloaded
	URL    string `yaml:"url"`    // https, for containerd alone: what Docker has is compared with what is in a local file
	SHA256 string `yaml:"sha256"` // of what is downloaded, 64 lower-case hex digits; empty for a local file
}

// validate returns what is wrong with the archive.
func (m Image) validate(docker bool) (ps lab.Problems) {
	if (m.URL == "") == (m.Source == "") {
		ps.Add("source", "exactly one of source and url must be set")
		return ps
	}
	if docker && m.URL != "" {
		ps = append(ps, lab.Problem{Path: "url", Text: m.URL,
			Message: "is for containerd: what is in it must be known here to compare it with what Docker has", Hint: "download it and set source"})
	}
	if m.URL != "" && !sumPattern.MatchString(m.SHA256) {
		ps = append(ps, lab.Problem{Path: "sha256", Text: m.SHA256, Message: "is not 64 lower-case hex digits"})
	}
	if !strings.Contains(path.Base(m.URL+m.Source), ".tar") {
		ps = append(ps, lab.Problem{Path: "source", Text: m.URL + m.Source, Message: "is not named as an archive",
			Hint: ".tar, .tar.gz; for containerd .tar.zst too"})
	}
	return ps
}

// resource returns what brings the images to a machine.
func (m Image) resource(c Config) host.Resource {
	if c.Docker {
		return loaded{source: m.Source}
	}
	at := c.dataDir() + "/agent/images/" + path.Base(m.URL+m.Source)
	if m.URL != "" {
		return host.Download{Path: at, URL: m.URL, SHA256: m.SHA256, Mode: 0o600}
	}
	return host.File{Path: at, Source: m.Source, Mode: 0o600}
}

// loaded are the images of a local archive in the Docker of a machine. They are there when Docker has their IDs.
type loaded struct {
	source string
	ids    []string
	size   int64
}

// imageID is what Docker calls the ID of an image: the hash of its configuration.
var imageID = regexp.MustCompile(`^[0-9a-f]{64}$`)

func (l loaded) ID() string { return "docker-images:" + path.Base(l.source) }

func (loaded) Validate() lab.Problems { return nil }

// Relations implements [host.Related]: the engine must run.
func (loaded) Relations() host.Relations {
	return host.Relations{Needs: []string{"unit:docker.service"}}
}

// Fingerprint implements [host.Fingerprinter].
func (l loaded) Fingerprint() string { return "images " + strings.Join(l.ids, " ") }

// Load implements [host.Loader]: it reads which images the archive has.
func (l loaded) Load() (host.Resource, error) {
	fail := func(err error) (host.Resource, error) {
		return nil, &lab.Error{Op: "read images", Path: l.source, Hint: `make it with "docker save"`, Err: err}
	}
	f, err := os.Open(l.source)
	if err != nil {
		return fail(err)
	}
	defer f.Close() // it was only read
	st, err := f.Stat()
	if err != nil {
		return fail(err)
	}
	l.size = st.Size()
	if l.ids, err = imagesOf(f); err != nil {
		return fail(err)
	}
	return l, nil
}

// imagesOf returns the IDs of the images in an archive of Docker, sorted.
func imagesOf(r io.Reader) (ids []string, err error) {
	b := bufio.NewReader(r)
	if magic, _ := b.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(b)
		if err != nil {
			return nil, err
		}
		b = bufio.NewReader(z)
	}
	for t := tar.NewReader(b); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("%w: it has no manifest.json", lab.ErrInvalid)
		}
		if err != nil {
			return nil, err
		}
		if path.Clean(h.Name) != "manifest.json" {
			continue
		}
		var manifest []struct{ Config string }
		if err := json.NewDecoder(io.LimitReader(t, 1<<20)).Decode(&manifest); err != nil {
			return nil, err
		}
		for _, image := range manifest {
			id := strings.TrimSuffix(path.Base(image.Config), ".json")
			if !imageID.MatchString(id) {
				return nil, fmt.Errorf("%w: manifest.json names no image: %q", lab.ErrInvalid, image.Config)
			}
			ids = append(ids, id)
		}
		slices.Sort(ids)
		return slices.Compact(ids), nil
	}
}

// Observe implements [host.Resource].
func (l loaded) Observe(q *host.Query) {
	q.Probe(l.ID(), "for i in "+strings.Join(l.ids, " ")+
		"; do docker image inspect -f '{{.Id}}' \"sha256:$i\" >/dev/null 2>&1 || echo \"$i\"; done")
}

// Plan implements [host.Resource].
func (l loaded) Plan(o *host.Observation) ([]host.Op, error) {
	missing := strings.Fields(string(o.Probe(l.ID()).Output))
	if len(missing) == 0 {
		return nil, nil
	}
	temp := "/var/lib/.lab-images-" + sum(l.source)[:12] + ".tmp"
	return []host.Op{{Action: lab.Create, Cause: fmt.Sprintf("Docker does not have %d of its %d images", len(missing), len(l.ids)),
		Payload: &host.Payload{Temp: temp, Size: l.size, Source: l.source},
		Script:  "docker load -q -i " + ssh.Quote(temp) + "\nrm -f -- " + ssh.Quote(temp)}}, nil
}
