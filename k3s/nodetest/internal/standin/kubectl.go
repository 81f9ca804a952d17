package standin

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"go.yaml.in/yaml/v4"
)

// kubectl is the part of kubectl that an installer needs. It asks the server of k3s.yaml, or of KUBECONFIG.
func (m *Machine) kubectl(ctx context.Context, args []string) error {
	if m.Kubectl != nil {
		file := m.Env("KUBECONFIG")
		if file == "" {
			file = kubeconfigFile
		}
		return m.Kubectl(ctx, file, args)
	}
	ask, err := m.asker(ctx)
	if err != nil {
		return err
	}
	var words []string // that are not options
	for i := 0; i < len(args); i++ {
		if args[i] == "--raw" || args[i] == "-f" {
			i++
		} else if !strings.HasPrefix(args[i], "-") {
			words = append(words, args[i])
		}
	}
	command := strings.Join(words[:min(2, len(words))], " ")
	raw := option(args, "raw")
	on := func(name string, c nodeChange) error {
		text, err := json.Marshal(c)
		if err != nil {
			return err
		}
		return ask(http.MethodPatch, "/api/v1/nodes/"+name, text)
	}
	yes, no := true, false
	switch {
	case command == "get" && raw != "":
		return ask(http.MethodGet, raw, nil)
	case command == "replace" && raw != "":
		text, err := io.ReadAll(m.Stdin)
		if err != nil {
			return err
		}
		return ask(http.MethodPut, raw, text)
	case command == "annotate node" && len(words) == 4:
		c := nodeChange{Annotations: map[string]*string{}}
		if key, value, ok := strings.Cut(words[3], "="); ok {
			c.Annotations[key] = &value
		} else {
			c.Annotations[strings.TrimSuffix(words[3], "-")] = nil
		}
		return on(words[2], c)
	case command == "delete node" && len(words) == 3:
		return ask(http.MethodDelete, "/api/v1/nodes/"+words[2], nil)
	case len(words) == 2 && words[0] == "drain":
		return on(words[1], nodeChange{Cordon: &yes, Log: "drain " + words[1]})
	case len(words) == 2 && words[0] == "cordon":
		return on(words[1], nodeChange{Cordon: &yes, Log: "cordon " + words[1]})
	case len(words) == 2 && words[0] == "uncordon":
		return on(words[1], nodeChange{Cordon: &no, Log: "uncordon " + words[1]})
	}
	return fmt.Errorf("k3s stand-in: unknown command: kubectl %s", strings.Join(args, " "))
}

// asker returns what makes a request with the credentials of a kubeconfig, and prints the answer.
func (m *Machine) asker(ctx context.Context) (func(method, path string, body []byte) error, error) {
	file := m.Env("KUBECONFIG")
	if file == "" {
		file = kubeconfigFile
	}
	text, err := m.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("error: %w", err)
	}
	var config struct {
		Clusters []struct {
			Cluster struct {
				CA     string `yaml:"certificate-authority-data"`
				Server string `yaml:"server"`
			} `yaml:"cluster"`
		} `yaml:"clusters"`
		Users []struct {
			User struct {
				Cert string `yaml:"client-certificate-data"`
				Key  string `yaml:"client-key-data"`
			} `yaml:"user"`
		} `yaml:"users"`
	}
	if err := yaml.Unmarshal(text, &config); err != nil {
		return nil, err
	}
	if len(config.Clusters) == 0 || len(config.Users) == 0 {
		return nil, errors.New("error: the kubeconfig names no cluster")
	}
	ca, err1 := base64.StdEncoding.DecodeString(config.Clusters[0].Cluster.CA)
	cert, err2 := base64.StdEncoding.DecodeString(config.Users[0].User.Cert)
	key, err3 := base64.StdEncoding.DecodeString(config.Users[0].User.Key)
	pair, err4 := tls.X509KeyPair(cert, key)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return nil, err
	}
	client := m.Client(ca, &pair)
	return func(method, path string, body []byte) error {
		answer, err := fetch(ctx, client, method, config.Clusters[0].Cluster.Server+path, "", "", bytes.NewReader(body))
		if err != nil {
			if strings.Contains(err.Error(), "404") {
				//lint:ignore ST1005 kubectl says it so
				return errors.New("Error from server (NotFound): the server could not find the requested resource")
			}
			return err
		}
		defer answer.Close()
		_, err = io.Copy(m.Stdout, answer)
		return err
	}, nil
}
