// A guest on the JVM's own HttpClient: `java Guest.java BASE [BYTES]`. With a number it sends so many bytes. The JVM reads neither the proxy nor the CA of the
// environment, and answers no challenge of a proxy with Basic unless a property permits it. The program sets all three.

import java.io.FileInputStream;
import java.net.Authenticator;
import java.net.InetSocketAddress;
import java.net.PasswordAuthentication;
import java.net.ProxySelector;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

public class Guest {
    public static void main(String[] arguments) throws Exception {
        System.setProperty("jdk.http.auth.tunneling.disabledSchemes", "");
        URI proxy = URI.create(System.getenv("HTTPS_PROXY"));
        String[] user = proxy.getUserInfo().split(":", 2);
        HttpClient client = HttpClient.newBuilder()
            .proxy(ProxySelector.of(new InetSocketAddress(proxy.getHost(), proxy.getPort())))
            .authenticator(new Authenticator() {
                @Override
                protected PasswordAuthentication getPasswordAuthentication() {
                    return new PasswordAuthentication(user[0], user[1].toCharArray());
                }
            })
            .sslContext(trusting(System.getenv("SSL_CERT_FILE")))
            .build();
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(arguments[0] + "/v1/models"));
        if (arguments.length > 1) {
            byte[] body = new byte[Integer.parseInt(arguments[1])];
            request.uri(URI.create(arguments[0] + "/upload"));
            request.POST(HttpRequest.BodyPublishers.ofByteArray(body));
        }
        HttpResponse<String> reply = client.send(request.build(), HttpResponse.BodyHandlers.ofString());
        System.out.println(reply.statusCode() + " " + reply.version() + " " + reply.body());
    }

    private static SSLContext trusting(String file) throws Exception {
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null, null);
        try (FileInputStream certificate = new FileInputStream(file)) {
            store.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(certificate));
        }
        TrustManagerFactory managers = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        managers.init(store);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, managers.getTrustManagers(), null);
        return context;
    }
}
