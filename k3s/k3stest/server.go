package k3stest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Server is a Kubernetes API, as an [http.Handler]: serve it by TLS, as a real one is. Make it by [NewServer].
type Server struct {
	mu      sync.Mutex
	kinds   []kind
	objects map[schema.GroupResource]map[string]*unstructured.Unstructured // by "namespace/name"
	version int64                                                          // of the newest change
	models  *models
}

// NewServer returns a server with the objects of a new cluster: the namespaces default, kube-system,
// kube-public and kube-node-lease.
func NewServer() *Server {
	s := &Server{kinds: builtinKinds(), objects: map[schema.GroupResource]map[string]*unstructured.Unstructured{},
		models: newModels()}
	for _, name := range []string{"default", "kube-system", "kube-public", "kube-node-lease"} {
		ns := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Namespace",
			"metadata": map[string]any{"name": name}}}
		if _, err := s.Add(ns); err != nil {
			panic(err) // of the names above
		}
	}
	return s
}

// Add creates an object as a controller, or somebody with kubectl create, does: by the field manager
// "k3stest". It returns what the server made of it. An object that is there already is an error.
func (s *Server) Add(u *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.kinds {
		if k.gvk == u.GroupVersionKind() {
			return s.create(k, u, writeOptions{manager: "k3stest"})
		}
	}
	return nil, fmt.Errorf("no kind %s", u.GroupVersionKind())
}

// ServeHTTP answers a request. One that is not understood is answered with status 501.
func (s *Server) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.serve(w, req)
	if err == nil {
		return
	}
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		status = apierrors.NewInternalError(err)
	}
	body := status.Status()
	body.Kind, body.APIVersion = "Status", "v1"
	_ = answer(w, int(body.Code), "application/json", body)
}

func answer(w http.ResponseWriter, status int, contentType string, body any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_, _ = w.Write(b) // a client that has gone
	return nil
}

// unsupported is the answer to what this server does not know.
func unsupported(req *http.Request, what string) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{Status: metav1.StatusFailure, Code: http.StatusNotImplemented,
		Reason: metav1.StatusReasonMethodNotAllowed, Message: fmt.Sprintf("k3stest does not know %s: %s %s", what, req.Method, req.URL)}}
}

// target is what a path leads to.
type target struct {
	kind      kind
	namespace string
	name      string // empty: all
	status    bool   // only the status is written
}

func (s *Server) serve(w http.ResponseWriter, req *http.Request) error {
	switch req.URL.Path {
	case "/api":
		return s.discover(true, w, req)
	case "/apis":
		return s.discover(false, w, req)
	}
	t, err := s.target(req)
	if err != nil {
		return err
	}
	switch req.Method {
	case http.MethodGet:
		if t.name == "" {
			return s.list(w, req, t)
		}
		u, err := s.get(t)
		if err != nil {
			return err
		}
		return answer(w, http.StatusOK, "application/json", reduced(req, u))
	case http.MethodPatch:
		return s.patch(w, req, t)
	case http.MethodPost:
		return s.post(w, req, t)
	case http.MethodPut:
		return s.put(w, req, t)
	case http.MethodDelete:
		return s.delete(w, req, t)
	}
	return unsupported(req, "the method")
}

// target reads a path: /api/v1/namespaces/NS/RESOURCE/NAME, /apis/GROUP/VERSION/RESOURCE/NAME and so on.
func (s *Server) target(req *http.Request) (target, error) {
	parts := strings.Split(strings.Trim(req.URL.Path, "/"), "/")
	var gv schema.GroupVersion
	switch {
	case len(parts) >= 3 && parts[0] == "api":
		gv, parts = schema.GroupVersion{Version: parts[1]}, parts[2:]
	case len(parts) >= 4 && parts[0] == "apis":
		gv, parts = schema.GroupVersion{Group: parts[1], Version: parts[2]}, parts[3:]
	default:
		return target{}, unsupported(req, "the path")
	}
	t := target{}
	if parts[0] == "namespaces" && len(parts) > 2 {
		t.namespace, parts = parts[1], parts[2:]
	}
	if len(parts) > 1 {
		t.name = parts[1]
	}
	if len(parts) > 2 && (parts[2] != "status" || req.Method != http.MethodPut) {
		return target{}, unsupported(req, "the subresource")
	}
	t.status = len(parts) > 2
	for _, k := range s.kinds {
		if k.gvk.GroupVersion() == gv && k.resource == parts[0] && (k.namespaced || t.namespace == "") {
			t.kind = k
			return t, nil
		}
	}
	return target{}, &apierrors.StatusError{ErrStatus: metav1.Status{Status: metav1.StatusFailure, Code: http.StatusNotFound,
		Reason: metav1.StatusReasonNotFound, Message: "the server could not find the requested resource"}}
}

// reduced returns an object as the request asks for it: in full, or its metadata alone.
func reduced(req *http.Request, u *unstructured.Unstructured) any {
	if !strings.Contains(req.Header.Get("Accept"), "as=PartialObjectMetadata") {
		return u.Object
	}
	return map[string]any{"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": u.Object["metadata"]}
}
