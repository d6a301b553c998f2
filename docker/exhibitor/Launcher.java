import com.netflix.exhibitor.application.ExhibitorMain;
import com.netflix.exhibitor.standalone.ExhibitorCreator;
import com.netflix.exhibitor.standalone.SecurityArguments;
import org.mortbay.jetty.Server;

/**
 * Runs Exhibitor on one address, named by the property "listen": left alone it listens on all of them, and whoever reaches its pages may run programs.
 * It ends whenever Exhibitor cannot serve, which by itself may live on without a port.
 */
public final class Launcher {
    public static void main(String[] arguments) {
        try {
            serve(new ExhibitorCreator(arguments));
        } catch (Throwable wrong) {
            wrong.printStackTrace();
        }
        Runtime.getRuntime().halt(1);
    }

    private static void serve(ExhibitorCreator made) throws Exception {
        var security = new SecurityArguments(made.getSecurityFile(), made.getRealmSpec(), made.getRemoteAuthSpec());
        var exhibitor = new ExhibitorMain(
            made.getBackupProvider(), made.getConfigProvider(), made.getBuilder(), made.getHttpPort(),
            made.getSecurityHandler(), security);
        var http = ExhibitorMain.class.getDeclaredField("server");
        http.setAccessible(true);
        for (var connector : ((Server) http.get(exhibitor)).getConnectors()) {
            connector.setHost(System.getProperty("listen", "127.0.0.1"));
        }
        exhibitor.start();
        exhibitor.join();
    }
}
