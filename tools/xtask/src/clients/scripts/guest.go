// A guest with Go's net/http, which reads proxy and CA of the environment: `guest BASE [BYTES]`. With a number it sends
// so many bytes.
package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
)

func call() (*http.Response, error) {
	if len(os.Args) < 3 {
		return http.Get(os.Args[1] + "/v1/models")
	}
	size, err := strconv.Atoi(os.Args[2])
	if err != nil {
		return nil, err
	}
	return http.Post(os.Args[1]+"/upload", "application/octet-stream", bytes.NewReader(make([]byte, size)))
}

func main() {
	reply, err := call()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	defer reply.Body.Close()
	body, err := io.ReadAll(reply.Body)
	fmt.Println(reply.StatusCode, reply.Proto, string(body), err)
}
