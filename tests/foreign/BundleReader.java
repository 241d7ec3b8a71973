/** Reads a ZIP as a stream, without its central directory: every entry, its size, and whether its CRC-32 holds. */
import java.io.*;
import java.util.zip.*;

public class BundleReader {
    public static void main(String[] args) throws IOException {
        try (ZipInputStream zip = new ZipInputStream(new FileInputStream(args[0]))) {
            for (ZipEntry entry = zip.getNextEntry(); entry != null; entry = zip.getNextEntry()) {
                CRC32 crc = new CRC32();
                byte[] data = zip.readAllBytes();
                crc.update(data);
                System.out.println(entry.getName() + " " + data.length + " " + (crc.getValue() == entry.getCrc()));
            }
        }
    }
}
