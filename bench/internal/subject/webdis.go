package subject

import (
	"bytes"
	"fmt"
	"io"
	"net/http"

	"github.com/valkeybatch/valkeybatch/bench/internal/workload"
)

// Webdis is the HTTP server in front of Redis that Debian ships. It has no batches and
// follows no redirects, so it can stand beside the service for single commands on a
// standalone server alone.
var webdis = &Subject{
	Name: "webdis", Title: "Webdis (HTTP)", Needs: Webdis, SingleOnly: true, StandaloneOnly: true,
	New: newWebdis,
}

type webdisClient struct {
	client *http.Client
	base   string
}

func newWebdis(c Config) (Client, error) {
	// A connection for each caller, kept.
	transport := &http.Transport{MaxIdleConnsPerHost: c.Callers}
	return webdisClient{&http.Client{Transport: transport}, "http://" + c.Target.Webdis + "/"}, nil
}

func (c webdisClient) Close() { c.client.CloseIdleConnections() }

func (c webdisClient) Caller() (Caller, error) { return &webdisCaller{webdisClient: c}, nil }

type webdisCaller struct {
	webdisClient
	body bytes.Buffer
}

func (c *webdisCaller) Do(batch []workload.Op) error {
	op := &batch[0]
	method, path, body := http.MethodGet, "GET/"+op.Key+".txt", io.Reader(nil)
	switch op.Kind {
	case workload.Get:
	case workload.Set:
		method, path, body = http.MethodPut, "SET/"+op.Key+".txt", bytes.NewReader(op.ValueBytes)
	default:
		return fmt.Errorf("webdis is not asked for %s", op.Kind)
	}
	request, err := http.NewRequest(method, c.base+path, body)
	if err != nil {
		return err
	}
	response, err := c.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	c.body.Reset()
	if _, err := c.body.ReadFrom(response.Body); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("webdis says %s", response.Status)
	}
	if op.Kind == workload.Set {
		return op.CheckOK(0, c.body.String())
	}
	return op.CheckValueBytes(0, c.body.Bytes())
}
