import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.CountDownLatch;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.framework.recipes.leader.LeaderLatchListener;
import org.apache.curator.framework.recipes.leader.Participant;
import org.apache.curator.framework.state.ConnectionState;
import org.apache.curator.retry.RetryOneTime;
import org.apache.curator.x.discovery.ServiceCache;
import org.apache.curator.x.discovery.ServiceDiscovery;
import org.apache.curator.x.discovery.ServiceDiscoveryBuilder;
import org.apache.curator.x.discovery.ServiceInstance;
import org.apache.curator.x.discovery.details.ServiceCacheListener;

/**
 * The other side of the interop tests: a program on Apache Curator that does what the lines on its input say and tells on its output what it
 * sees. It ends when its input does.
 */
public final class Peer {
    private final CuratorFramework client;
    private final ServiceDiscovery<Map> discovery;
    private final Map<String, ServiceInstance<Map>> registered = new TreeMap<>();

    private Peer(String connect, String base) throws Exception {
        client = CuratorFrameworkFactory.newClient(connect, 5000, 5000, new RetryOneTime(100));
        client.start();
        client.blockUntilConnected();
        discovery = ServiceDiscoveryBuilder.builder(Map.class).client(client).basePath(base).build();
        discovery.start();
    }

    public static void main(String[] arguments) throws Exception {
        Peer peer = new Peer(arguments[0], arguments[1]);
        say("ready");
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            String[] words = line.split(" ");
            switch (words[0]) {
                case "register" -> peer.register(words);
                case "unregister" -> peer.unregister(words[1]);
                case "query" -> say("query " + peer.query(words[1]));
                case "cache" -> peer.cache(words[1]);
                case "contend" -> peer.contend(words[1], words[2], Integer.parseInt(words[3]), Path.of(words[4]));
                case "participants" -> say("participants " + peer.participants(words[1]));
                default -> throw new IllegalArgumentException(line);
            }
        }
        System.exit(0);
    }

    private static synchronized void say(String line) {
        System.out.println(line);
        System.out.flush();
    }

    private void register(String[] words) throws Exception {
        Map<String, String> payload = new LinkedHashMap<>();
        for (int at = 5; at < words.length; at++) {
            String[] pair = words[at].split("=", 2);
            payload.put(pair[0], pair[1]);
        }
        ServiceInstance<Map> instance = ServiceInstance.<Map>builder()
            .name(words[1])
            .id(words[2])
            .address(words[3])
            .port(Integer.parseInt(words[4]))
            .payload(payload)
            .build();
        discovery.registerService(instance);
        registered.put(words[2], instance);
        say("registered " + words[2]);
    }

    private void unregister(String id) throws Exception {
        discovery.unregisterService(registered.remove(id));
        say("unregistered " + id);
    }

    private String query(String name) throws Exception {
        TreeSet<String> told = new TreeSet<>();
        for (ServiceInstance<Map> instance : discovery.queryForInstances(name)) {
            told.add(tell(instance));
        }
        return String.join(" ", told);
    }

    private static String tell(ServiceInstance<Map> instance) {
        String spec = instance.getUriSpec() == null ? "-" : instance.buildUriSpec();
        String payload = instance.getPayload() == null ? "-" : new TreeMap<>(instance.getPayload()).toString();
        return String.join(
            ",",
            instance.getId(),
            instance.getAddress() + ":" + instance.getPort(),
            String.valueOf(instance.getSslPort()),
            spec,
            payload.replace(" ", ""),
            instance.isEnabled() ? "enabled" : "disabled");
    }

    private void cache(String name) throws Exception {
        ServiceCache<Map> cache = discovery.serviceCacheBuilder().name(name).build();
        cache.addListener(new ServiceCacheListener() {
            @Override
            public void cacheChanged() {
                say("cache " + ids(cache));
            }

            @Override
            public void stateChanged(CuratorFramework framework, ConnectionState state) {}
        });
        cache.start();
        say("cache " + ids(cache));
    }

    private static String ids(ServiceCache<Map> cache) {
        TreeSet<String> ids = new TreeSet<>();
        for (ServiceInstance<Map> instance : cache.getInstances()) {
            ids.add(instance.getId() + ":" + instance.getPort());
        }
        return String.join(",", ids);
    }

    /** Leads so many times; while it leads it alone may have made the file. */
    private void contend(String path, String id, int rounds, Path file) {
        Thread contender = new Thread(() -> {
            try {
                for (int round = 0; round < rounds; round++) {
                    lead(path, id, file);
                    say("led " + round);
                }
                say("done");
            } catch (Exception wrong) {
                say("failed " + wrong);
            }
        });
        contender.setDaemon(true);
        contender.start();
    }

    private void lead(String path, String id, Path file) throws Exception {
        CountDownLatch leads = new CountDownLatch(1);
        LeaderLatch latch = new LeaderLatch(client, path, id);
        latch.addListener(new LeaderLatchListener() {
            @Override
            public void isLeader() {
                leads.countDown();
            }

            @Override
            public void notLeader() {}
        });
        latch.start();
        leads.await();
        try {
            Files.createFile(file);
            Thread.sleep(20);
            Files.delete(file);
        } catch (FileAlreadyExistsException two) {
            say("two");
        }
        latch.close();
    }

    private String participants(String path) throws Exception {
        LeaderLatch latch = new LeaderLatch(client, path, "onlooker");
        StringBuilder told = new StringBuilder();
        for (Participant participant : latch.getParticipants()) {
            told.append(participant.isLeader() ? "leader " : "waits ").append(participant.getId()).append(" ");
        }
        return told.toString().trim();
    }
}
