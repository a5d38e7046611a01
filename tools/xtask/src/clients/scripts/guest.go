// A guest with Go's net/http, which reads proxy and CA of the environment: `guest BASE`.
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
)

func main() {
	reply, err := http.Get(os.Args[1] + "/v1/models")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	defer reply.Body.Close()
	body, err := io.ReadAll(reply.Body)
	fmt.Println(reply.StatusCode, reply.Proto, string(body), err)
}
