// Command mcp is a Model Context Protocol server over streamable HTTP, and a client for it, both from mcp-go.
//
//	mcp                  serves; prints "listening ADDRESS" first; the endpoint is /mcp
//	mcp -client URL      initialize, notifications/initialized, tools/list, tools/call; prints what came back
//	mcp -client URL -modern      the same without a handshake (MCP 2026-07-28): server/discover, tools/list, tools/call
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

func main() {
	address := flag.String("listen", "127.0.0.1:0", "address to listen on")
	endpoint := flag.String("client", "", "be a client of this URL")
	modern := flag.Bool("modern", false, "as a client, speak the newest protocol instead of the last with a handshake")
	flag.Parse()

	var err error
	if *endpoint != "" {
		version := mcp.LATEST_LEGACY_PROTOCOL_VERSION
		if *modern {
			version = mcp.LATEST_PROTOCOL_VERSION
		}
		err = converse(*endpoint, version)
	} else {
		err = serve(*address)
	}
	if err != nil {
		log.Fatal(err)
	}
}

func serve(address string) error {
	tools := server.NewMCPServer("calculator", "1.0.0", server.WithToolCapabilities(false))
	tools.AddTool(
		mcp.NewTool("multiply",
			mcp.WithDescription("a times b"),
			mcp.WithNumber("a", mcp.Required()),
			mcp.WithNumber("b", mcp.Required()),
		),
		func(_ context.Context, request mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			a, err := request.RequireFloat("a")
			if err != nil {
				return mcp.NewToolResultError(err.Error()), nil
			}
			b, err := request.RequireFloat("b")
			if err != nil {
				return mcp.NewToolResultError(err.Error()), nil
			}
			return mcp.NewToolResultText(fmt.Sprint(a * b)), nil
		},
	)

	mux := http.NewServeMux()
	mux.Handle("/mcp", server.NewStreamableHTTPServer(tools))
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	fmt.Println("listening", listener.Addr())
	return http.Serve(listener, mux)
}

func converse(endpoint, version string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	session, err := client.NewStreamableHttpClient(endpoint)
	if err != nil {
		return err
	}
	defer session.Close()
	if err := session.Start(ctx); err != nil {
		return err
	}

	hello := mcp.InitializeRequest{}
	hello.Params.ProtocolVersion = version
	hello.Params.ClientInfo = mcp.Implementation{Name: "goinst-test", Version: "1.0.0"}
	// With a handshake: initialize, then notifications/initialized.
	welcome, err := session.Initialize(ctx, hello)
	if err != nil {
		return err
	}
	fmt.Println("server", welcome.ServerInfo.Name)

	tools, err := session.ListTools(ctx, mcp.ListToolsRequest{})
	if err != nil {
		return err
	}
	for _, tool := range tools.Tools {
		fmt.Println("tool", tool.Name)
	}

	call := mcp.CallToolRequest{}
	call.Params.Name = "multiply"
	call.Params.Arguments = map[string]any{"a": 6, "b": 7}
	result, err := session.CallTool(ctx, call)
	if err != nil {
		return err
	}
	for _, content := range result.Content {
		if text, ok := content.(mcp.TextContent); ok {
			fmt.Println("result", text.Text)
		}
	}
	return nil
}
